package sizes

import (
	"cmp"
	"strings"

	"floodgate/internal/artefact"
)

// FileChange is one path whose file is not what it was. Before is nil for an
// added file, After for a removed one.
type FileChange struct {
	Path          string
	Before, After *artefact.Entry
}

// What says in words how the file changed: "added", "removed", or which of
// type, size, mode and target differ.
func (c FileChange) What() string {
	switch {
	case c.Before == nil:
		return "added"
	case c.After == nil:
		return "removed"
	}
	b, a := c.Before, c.After
	if b.Mode.Type() != a.Mode.Type() || (b.Link == "") != (a.Link == "") {
		return "type"
	}
	var parts []string
	if b.Size != a.Size {
		parts = append(parts, "size")
	}
	if b.Mode != a.Mode {
		parts = append(parts, "mode")
	}
	if b.Link != a.Link {
		parts = append(parts, "target")
	}
	return strings.Join(parts, ", ")
}

// Inventory is what happened to the files of one product.
type Inventory struct {
	Gate                    string
	Added, Removed, Changed []FileChange // by path
	Unchanged               int
}

// Same reports whether nothing was found.
func (i Inventory) Same() bool { return len(i.Added)+len(i.Removed)+len(i.Changed) == 0 }

// CompareFiles compares the files of a product, both lists sorted by path and
// each path once. What is compared is type, size, mode and link target:
// contents of the same length are taken for the same.
func CompareFiles(gate string, before, after []artefact.Entry) Inventory {
	i := Inventory{Gate: gate}
	for len(before) > 0 || len(after) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = cmp.Compare(before[0].Path, after[0].Path)
		}
		switch {
		case order < 0:
			i.Removed = append(i.Removed, FileChange{Path: before[0].Path, Before: &before[0]})
			before = before[1:]
		case order > 0:
			i.Added = append(i.Added, FileChange{Path: after[0].Path, After: &after[0]})
			after = after[1:]
		default:
			if before[0] == after[0] {
				i.Unchanged++
			} else {
				i.Changed = append(i.Changed, FileChange{Path: after[0].Path, Before: &before[0], After: &after[0]})
			}
			before, after = before[1:], after[1:]
		}
	}
	return i
}
