package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/internal/record"
)

// sharedScenario is a burst of 3000 messages, few enough datagrams to wait in the
// target's socket all at once, so that none is lost even by a machine that stalls.
const sharedScenario = `name: shared
description: A burst for two senders.
load:
  transport: udp
  schedule: {burst: {count: 3k, over: 300ms}}
  corpus: {context_keys: 50, tags: 2, kinds: {c: 3, g: 1, ms: 1, s: 1, d: 1, h: 1}, packing: 1432B}
target: {flush_interval: 200ms}
goal: cpu_per_message
checks: [lost_messages <= 0, wrong_values <= 0, delivered_messages >= 3000]
gate: true
limits: {lateness_p99: 10s}
`

// runShards runs the shards of a scenario as processes of their own that begin at
// the same instant, and returns what they printed.
func runShards(t *testing.T, file string, folders []string, at time.Time, port int) (outputs []string) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	var printed []*strings.Builder
	var commands []*exec.Cmd
	for i, folder := range folders {
		args := []string{"run", file, "--shard", fmt.Sprintf("%d/%d", i+1, len(folders)), "--at", at.Format(time.RFC3339Nano), "--out", folder}
		if i == 0 {
			args = append(args, "--listen", address, "--candidate", "refserver:flush=async")
		} else {
			args = append(args, "--to", "udp://"+address)
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "floodgate"), args...)
		out := new(strings.Builder)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		commands, printed = append(commands, cmd), append(printed, out)
	}
	for i, cmd := range commands {
		if err := cmd.Wait(); err != nil {
			fmt.Fprintf(printed[i], "shard %d: %v\n", i+1, err)
		}
		outputs = append(outputs, printed[i].String())
	}
	return outputs
}

// TestSharedRun: two processes offer one load from the same instant on, and their
// records come to every message of it.
func TestSharedRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "shared.yaml")
	if err := os.WriteFile(file, []byte(sharedScenario), 0o644); err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := socket.LocalAddr().(*net.UDPAddr).Port
	socket.Close()
	folders := []string{filepath.Join(dir, "1"), filepath.Join(dir, "2")}
	var outputs []string
	// A machine that is too busy to be ready by the instant gets a later one.
	for lead := 2 * time.Second; ; lead *= 4 {
		outputs = runShards(t, file, folders, time.Now().Add(lead), port)
		if all := strings.Join(outputs, ""); lead > time.Minute || !strings.Contains(all, "after the instant") && !strings.Contains(all, "which is past") {
			break
		}
	}
	for i, out := range outputs {
		if want := fmt.Sprintf("shared, replicate 0, shard %d of 2: 1,500 of 1,500 messages sent, 99 %% at most", i+1); !strings.Contains(out, want) || strings.Contains(out, "invalid") {
			t.Fatalf("shard %d prints\n%swant %s", i+1, out, want)
		}
	}
	records, err := record.ReadDir(folders...)
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	l := records[0].Ledger
	if l.Offered != 3000 || l.Sent != 3000 || l.NotSent != 0 || *l.Received != 3000 || *l.KernelDropped != 0 || *l.Delivered != 3000 || l.Lost() != 0 || l.Unaccounted != 0 || records[0].Invalid != "" {
		t.Errorf("invalid %q, %+v", records[0].Invalid, l)
	}
	if v := records[0].Values; v == nil || v.Wrong != 0 {
		t.Errorf("values %+v", v)
	}
	floodgate := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "floodgate"), args...)
		cmd.Dir = dir
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("floodgate %s exits with %d, want %d\n%s", strings.Join(args, " "), got, want, out)
		}
		return string(out)
	}
	for _, want := range []string{"lost_messages: 1/1 replicas passed", "delivered_messages: 1/1 replicas passed"} {
		if out := floodgate(exitPass, "report", "1", "2", "--out", "all"); !strings.Contains(out, want) {
			t.Errorf("the report of both has no %q:\n%s", want, out)
		}
	}
	if out := floodgate(exitUnmeasured, "report", "1", "--out", "half"); !strings.Contains(out, "shard 2 of 2 is missing") {
		t.Errorf("the report of one shard does not miss the other:\n%s", out)
	}
	// Both sides are the same run, which is enough to see them merged.
	if out := floodgate(exitPass, "compare", "1,2", "1,2", "--out", "sides"); !strings.Contains(out, "3,000") {
		t.Errorf("the comparison does not merge its sides:\n%s", out)
	}
}
