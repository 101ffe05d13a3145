package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/internal/target"
	"floodgate/server"
	"floodgate/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance holds the program, as a process with its default settings, to
// all of the target contract.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "refserver")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		t.Fatal(err)
	}
	claims := servertest.All(server.Default().BufferSize, "udp", "unixgram", "unixstream")
	servertest.Run(t, claims, func(t *testing.T, e servertest.Endpoints) func() {
		p, err := target.Start(context.Background(), target.Command{Path: program, Args: e.Flags(), Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := p.Stop(context.Background(), 10*time.Second); err != nil {
				t.Error(err)
			}
			if reason, died := p.Died(); died {
				t.Errorf("the target died: %s", reason)
			}
			if state, _ := p.State(); state.Code != exitOK {
				t.Errorf("the target ended with %v", state)
			}
			if t.Failed() {
				t.Logf("its last words: %s", p.LastWords())
			}
		}
	})
}
