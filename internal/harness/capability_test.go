package harness

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"floodgate/scenarios"
)

// TestProbesEndWithTheirContext: a target that does not read what it is asked
// holds nobody up who was interrupted.
func TestProbesEndWithTheirContext(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "target.sock")
	deaf, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q := questioner{limit: time.Millisecond, session: &session{addresses: addresses{transport: scenarios.UnixStream, load: "unixstream://" + socket}}}
	hangUp, err := q.connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp()
	for err == nil {
		err = q.send("probe:1|c") // until its buffer is full
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	q.limit = time.Hour
	cancel()
	if err := q.send("probe:1|c"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, want that the connection was closed", err)
	}
}
