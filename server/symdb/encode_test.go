package symdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"floodgate/internal/payload"
	"floodgate/server/forward"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unpacked is the JSON in a compressed batch.
func unpacked(t *testing.T, compressed []byte) []byte {
	t.Helper()
	r, err := payload.NewReader(encoding, bytes.NewReader(compressed), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// collected is what an encoder uploads, unpacked.
type collected struct {
	texts   []string
	batches []forward.Batch
}

func (c *collected) upload(t *testing.T) forward.Upload {
	return func(_ context.Context, b forward.Batch) error {
		c.texts = append(c.texts, string(unpacked(t, b.Body)))
		b.Body = nil
		c.batches = append(c.batches, b)
		return nil
	}
}

// encoders makes one of each mode. Both send a batch for every package if each
// is true, and otherwise only when they are flushed.
func encoders(t *testing.T, h head, each bool) (map[Mode]encoder, map[Mode]*collected) {
	t.Helper()
	got := map[Mode]*collected{Streaming: {}, Buffered: {}}
	threshold, maxFunctions := 1<<30, 1<<30
	if each {
		threshold, maxFunctions = 0, 0
	}
	s, err := newStreamer(h, threshold, got[Streaming].upload(t))
	if err != nil {
		t.Fatal(err)
	}
	b := &bufferer{head: h, maxFunctions: maxFunctions, upload: got[Buffered].upload(t)}
	return map[Mode]encoder{Streaming: s, Buffered: b}, got
}

// shapes are packages as they come, and as they hardly do.
var shapes = []struct {
	why      string
	packages []Scope
}{
	{"nothing", []Scope{}},
	{"an empty package", []Scope{{Type: PackageScope, Name: "p"}}},
	{"a package of its own symbols", []Scope{{Type: PackageScope, Symbols: []Symbol{{"x", "int", LocalSymbol, 3}}}}},
	{"functions", []Scope{{Type: PackageScope, Name: "p", Scopes: []Scope{{Type: FunctionScope, Name: "p.f", StartLine: 1, EndLine: 2}}}}},
	{"methods in a struct", []Scope{{Scopes: []Scope{{Type: StructScope, Scopes: []Scope{{Type: MethodScope}, {Type: MethodScope}}}}}}},
	{"text that JSON must escape", []Scope{{Name: "a\"b\\c\n\x00<&>\u2028é😀"}, {Name: "\xff, which is no UTF-8"}}},
	{"a whole program", slices.Collect(Tree(TreeConfig{Seed: 3, Packages: 20, FunctionsPerPackage: 30, VariablesPerFunction: 5}))},
}

// TestBatchIsTheMarshalledStruct holds both modes to what encoding/json makes
// of a batch, byte by byte.
func TestBatchIsTheMarshalledStruct(t *testing.T) {
	for _, h := range []head{
		{Service: "shop", Version: "1.2", Language: language, UploadID: "u"},
		{Service: "a\",\"final\":true,\"x\":\"\nb\\", Version: "</script>\t\u2028", Language: language, UploadID: `"`},
	} {
		for _, shape := range shapes {
			want := func(number int, packages []Scope, final bool) string {
				h := h
				h.BatchNum = number
				text, err := json.Marshal(body{h, packages, final})
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			for _, each := range []bool{false, true} {
				expected := []string{want(1, shape.packages, true)}
				if each {
					expected = nil
					for i, p := range shape.packages {
						expected = append(expected, want(i+1, []Scope{p}, false))
					}
					expected = append(expected, want(len(shape.packages)+1, []Scope{}, true))
				}
				made, got := encoders(t, h, each)
				for mode, e := range made {
					for _, p := range shape.packages {
						if err := e.Add(t.Context(), p); err != nil {
							t.Fatal(err)
						}
					}
					if err := e.Flush(t.Context(), true); err != nil {
						t.Fatal(err)
					}
					if d := cmp.Diff(expected, got[mode].texts); d != "" {
						t.Errorf("%s, %s, each package alone %t: -want +got\n%s", shape.why, mode, each, d)
					}
					checkBatches(t, shape.packages, got[mode])
				}
			}
		}
	}
}

// checkBatches holds what is told about the batches to what is in them.
func checkBatches(t *testing.T, packages []Scope, got *collected) {
	t.Helper()
	want, records, functions := 0, 0, int64(0)
	for i := range packages {
		want += packages[i].Functions()
	}
	for i, b := range got.batches {
		records, functions = records+b.Records, functions+b.Messages
		if final := i == len(got.batches)-1; b.Number != i+1 || b.Final != final || b.Raw != int64(len(got.texts[i])) {
			t.Errorf("batch %d of %d bytes is %+v", i+1, len(got.texts[i]), b)
		}
	}
	if records != len(packages) || functions != int64(want) {
		t.Errorf("%d packages with %d functions, want %d with %d", records, functions, len(packages), want)
	}
}

func TestNothingIsSentForNothingUnlessItIsFinal(t *testing.T) {
	made, got := encoders(t, head{}, false)
	for mode, e := range made {
		if err := e.Flush(t.Context(), false); err != nil || len(got[mode].texts) != 0 {
			t.Errorf("%s: %v, %q", mode, err, got[mode].texts)
		}
		if err := e.Flush(t.Context(), true); err != nil || len(got[mode].texts) != 1 {
			t.Errorf("%s, final: %v, %q", mode, err, got[mode].texts)
		}
	}
}

// TestNextBatchAfterALoss: the batch whose upload was given up is gone, and
// neither its number nor its packages come again.
func TestNextBatchAfterALoss(t *testing.T) {
	var texts []string
	refuse := true
	upload := func(_ context.Context, b forward.Batch) error {
		if refuse {
			return fmt.Errorf("%w: %w", forward.ErrUpload, io.ErrClosedPipe)
		}
		texts = append(texts, string(unpacked(t, b.Body)))
		return nil
	}
	s, err := newStreamer(head{}, 0, upload)
	if err != nil {
		t.Fatal(err)
	}
	for mode, e := range map[Mode]encoder{Streaming: s, Buffered: &bufferer{maxFunctions: 0, upload: upload}} {
		texts, refuse = nil, true
		if err := e.Add(t.Context(), Scope{Name: "lost"}); !errors.Is(err, forward.ErrUpload) || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: %v", mode, err)
		}
		refuse = false
		if err := e.Add(t.Context(), Scope{Name: "next"}); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		if len(texts) != 1 || strings.Contains(texts[0], "lost") || !strings.Contains(texts[0], `"batch_num":2,`) || !strings.Contains(texts[0], "next") {
			t.Errorf("%s: %q", mode, texts)
		}
	}
}

// compressorWindow bounds by how much a streamed batch may exceed its
// threshold: what the compressor holds back, compressed, and one package.
const compressorWindow = 64 << 10

func TestStreamedBatchesKeepTheirSize(t *testing.T) {
	const threshold = 64 << 10
	program := TreeConfig{Seed: 1, Packages: 200, FunctionsPerPackage: 50, VariablesPerFunction: 8}
	var sizes []int
	s, err := newStreamer(head{}, threshold, func(_ context.Context, b forward.Batch) error {
		if !b.Final {
			sizes = append(sizes, len(b.Body))
		}
		// Growing doubles the memory of a body, so that it may be half empty.
		if most := 2 * (threshold + compressorWindow); cap(b.Body) > most {
			t.Errorf("batch %d holds %d bytes, want at most %d", b.Number, cap(b.Body), most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := addAll(t, s, Tree(program)); err != nil {
		t.Fatal(err)
	}
	if len(sizes) < 3 {
		t.Fatalf("%d batches before the last, too few to tell", len(sizes))
	}
	if least, most := slices.Min(sizes), slices.Max(sizes); least < threshold || most > threshold+compressorWindow {
		t.Errorf("batches have %d to %d bytes, want %d to %d", least, most, threshold, threshold+compressorWindow)
	}
}

func addAll(t *testing.T, e encoder, packages iter.Seq[Scope]) error {
	for p := range packages {
		if err := e.Add(t.Context(), p); err != nil {
			return err
		}
	}
	return e.Flush(t.Context(), true)
}

// TestStreamingHoldsNoMoreForALargerProgram counts the bytes that are alive
// while a program is encoded, generator included: after a full collection, so
// that they are what is held, and not what was not yet cleared away. Streaming
// holds the same for four times the program. Buffered holds the whole batch.
func TestStreamingHoldsNoMoreForALargerProgram(t *testing.T) {
	const threshold = 128 << 10
	held := func(make func(forward.Upload) encoder, packages int) int64 {
		live := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC() // pools let go of their contents at the second
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before, most, n := live(), int64(0), 0
		e := make(func(context.Context, forward.Batch) error {
			most = max(most, live()-before)
			return nil
		})
		program := Tree(TreeConfig{Seed: 1, Packages: packages, FunctionsPerPackage: 50, VariablesPerFunction: 8})
		watched := func(yield func(Scope) bool) {
			for p := range program {
				if n++; n%50 == 0 {
					most = max(most, live()-before)
				}
				if !yield(p) {
					return
				}
			}
		}
		if err := addAll(t, e, watched); err != nil {
			t.Fatal(err)
		}
		runtime.KeepAlive(e)
		return most
	}
	streaming := func(u forward.Upload) encoder {
		s, err := newStreamer(head{}, threshold, u)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	buffered := func(u forward.Upload) encoder { return &bufferer{maxFunctions: 1 << 30, upload: u} }

	// The tables of the compressor are some 600 KiB beside its window; the rest
	// is room for what the runtime and the test hold.
	const bound = 2*(threshold+compressorWindow) + 2<<20
	small, large := held(streaming, 80), held(streaming, 320)
	if small > bound || large > bound {
		t.Errorf("streaming holds %d and %d bytes, want at most %d", small, large, bound)
	}
	small, largeBuffered := held(buffered, 80), held(buffered, 320)
	if largeBuffered < 3*small || largeBuffered < 4*large {
		t.Errorf("buffered holds %d and %d bytes, streaming %d: this test cannot tell them apart", small, largeBuffered, large)
	}
	t.Logf("320 packages: streaming %d, buffered %d", large, largeBuffered)
}
