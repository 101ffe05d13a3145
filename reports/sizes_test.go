package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"floodgate/internal/artefact"
	"floodgate/regress/sizes"
)

// sizesFixture has each mark, a product without an inventory, and names that
// want to be something else.
func sizesFixture() Sizes {
	most := func(n int64) *int64 { return &n }
	size := func(disk, wire int64) *sizes.Size { return &sizes.Size{Disk: disk, Wire: wire} }
	before := []artefact.Entry{
		{Path: "usr/bin/floodgate", Mode: 0o755, Size: 14_680_064},
		{Path: "usr/share/doc/old", Mode: 0o644, Size: 300},
	}
	after := []artefact.Entry{
		{Path: "usr/bin/flood\x1b[31mgate|<b>", Mode: fs.ModeSymlink | 0o777, Link: "floodgate"},
		{Path: "usr/bin/floodgate", Mode: fs.ModeSetuid | 0o755, Size: 14_701_234},
	}
	return Sizes{
		Baseline: "old/", Candidate: "out/", Codec: "gzip:6", Version: "v0.1.0",
		Verdict: sizes.Judge([]sizes.Gate{
			{Name: "floodgate_amd64.deb", Disk: sizes.Limit{Max: most(15 << 20), Growth: &sizes.Growth{Ratio: 0.001}}, Wire: sizes.Limit{Max: most(4 << 20)},
				Baseline: size(14_680_364, 4_100_000), Candidate: size(14_701_234, 4_250_000)},
			{Name: "refserver", Disk: sizes.Limit{Max: most(7 << 20)}, Wire: sizes.Limit{Growth: &sizes.Growth{Bytes: 600 << 10}},
				Baseline: size(8<<20, 2<<20), Candidate: size(8<<20+100, 2<<20)},
			{Name: "new|thing", Disk: sizes.Limit{Max: most(1 << 20)}, Candidate: size(900_000, 300_000), New: true},
			{Name: "gone", Fault: "cannot read artefact out/gone: file does not exist"},
		}),
		Inventories: []sizes.Inventory{
			sizes.CompareFiles("floodgate_amd64.deb", before, after),
			sizes.CompareFiles("same.tar.gz", before, before),
		},
	}
}

// TestSizesGoldens shows the static gates in each format: read the files in
// testdata to see what people get.
func TestSizesGoldens(t *testing.T) {
	for name, f := range map[string]func(io.Writer, Sizes) error{
		"sizes.txt":  func(w io.Writer, s Sizes) error { return SizesTerminal(w, s, TerminalOptions{Width: 110}) },
		"sizes.md":   SizesMarkdown,
		"sizes.json": SizesJSON,
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := f(&b, sizesFixture()); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.Bytes())
			if strings.Contains(b.String(), "\x1b") {
				t.Error("a name brings a terminal escape along")
			}
		})
	}
}

// TestManyFiles: people see the first changes and how many more there are, a
// program sees all; a comment never outgrows what fits.
func TestManyFiles(t *testing.T) {
	s := sizesFixture()
	var after []artefact.Entry
	for i := range 3000 {
		after = append(after, artefact.Entry{Path: fmt.Sprintf("usr/%05d/%s", i, strings.Repeat("x", 500)), Mode: 0o644})
	}
	s.Inventories = nil
	for i := range 10 {
		s.Inventories = append(s.Inventories, sizes.CompareFiles(fmt.Sprint("product", i), nil, after))
	}
	var terminal, markdown, document bytes.Buffer
	for _, err := range []error{SizesTerminal(&terminal, s, TerminalOptions{Width: 100}), SizesMarkdown(&markdown, s), SizesJSON(&document, s)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(terminal.String(), "and 2950 more: --format json lists all"); got != 10 {
		t.Errorf("%d of 10 inventories say how many files are not listed", got)
	}
	if n := markdown.Len(); n > markdownLimit || !strings.Contains(markdown.String(), "Cut to fit a comment") || !strings.Contains(markdown.String(), "### Decision") {
		t.Errorf("the comment has %d bytes", n)
	}
	var d sizesDocument
	if err := json.Unmarshal(document.Bytes(), &d); err != nil || len(d.Inventories[9].Changes) != 3000 {
		t.Errorf("the JSON does not list all files: %v", err)
	}
}
