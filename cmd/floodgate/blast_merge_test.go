package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// shares sends all shares of a burst, one after the other, and returns their
// summaries as if they had started together, and the files that hold them.
func shares(t *testing.T, n int, args ...string) ([]blastSummary, []string) {
	t.Helper()
	var all []blastSummary
	var files []string
	for i := range n {
		s := blastJSON(t, append(args, "--shard", fmt.Sprintf("%d/%d", i+1, n))...)
		if i > 0 {
			s.Started = all[0].Started
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "share.json")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		all, files = append(all, s), append(files, file)
	}
	return all, files
}

// The whole is the sum of its shares: every count, and every datagram's lateness.
func TestBlastMerge(t *testing.T) {
	parts, files := shares(t, 3, sink(t), "--count", "1001", "--over", "20ms", "--contexts", "50", "--kinds", "c=3,g=1")
	merged := blastJSON(t, append([]string{"merge"}, files...)...)
	if merged.Planned != 1001 || merged.Offered != 1001 || merged.Sent != 1001 || merged.NotSent != 0 || merged.Datagrams != 1001 {
		t.Errorf("%+v", merged)
	}
	if merged.Load != parts[0].Load || merged.Load.Messages != 1001 || merged.Load.Kinds != "c=3,g=1" || merged.Shard != "" {
		t.Errorf("load %+v, share %q", merged.Load, merged.Shard)
	}
	var calls, late int64
	var last float64
	for _, s := range parts {
		calls, last = calls+s.Calls, max(last, s.LastSent)
		late += histogram(t, s).TotalCount()
	}
	if merged.Calls != calls || merged.LastSent != last || len(merged.Shards) != 3 || merged.Shards[1].Digest != parts[1].Digest {
		t.Errorf("%+v", merged)
	}
	if got := histogram(t, merged).TotalCount(); got != 1001 || got != late {
		t.Errorf("the lateness of %d datagrams, want 1001: the shares have %d", got, late)
	}
	// Each watched the same socket from before its own first datagram on.
	if parts[2].KernelDropped != nil && (merged.KernelDropped == nil || *merged.KernelDropped != max(*parts[0].KernelDropped, *parts[1].KernelDropped, *parts[2].KernelDropped)) {
		t.Errorf("%v datagrams dropped", merged.KernelDropped)
	}
}

func histogram(t *testing.T, s blastSummary) *hdrhistogram.Histogram {
	t.Helper()
	h, err := hdrhistogram.Decode([]byte(s.LatenessHistogram))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A client library's counters add up too, and the only share of a load is one.
func TestBlastMergeOfOne(t *testing.T) {
	parts, files := shares(t, 1, sink(t), "--count", "500", "--over", "10ms", "--client", "datadog-go")
	merged := blastJSON(t, "merge", files[0])
	if merged.Client == nil || *merged.Client != *parts[0].Client || merged.Sent != parts[0].Sent || merged.Shards[0].Shard != "1/1" {
		t.Errorf("%+v, want %+v", merged.Client, parts[0].Client)
	}
}

// Drops are the socket's: those that watched the same one saw the same drops.
func TestSocketDrops(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	summary := func(host, url string, dropped *int64) share {
		return share{blastSummary: blastSummary{Host: host, URL: url, KernelDropped: dropped}}
	}
	for _, c := range []struct {
		name   string
		shares []share
		want   *int64
	}{
		{"the one that looked last saw all", []share{summary("a", "u", number(3)), summary("a", "u", number(5))}, number(5)},
		{"two sockets of one machine", []share{summary("a", "u", number(3)), summary("a", "v", number(5))}, number(8)},
		{"the same address on two machines", []share{summary("a", "u", number(3)), summary("b", "u", number(5))}, number(8)},
		{"unknown is not none", []share{summary("a", "u", number(3)), summary("b", "u", nil)}, nil},
	} {
		got := socketDrops(c.shares)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
