package reports

import (
	"encoding/json"
	"io"

	"floodgate/internal/artefact"
)

// sizesDocument is the static gates as JSON. Sizes are bytes; null where there
// is none.
type sizesDocument struct {
	Schema      int             `json:"schema"`
	Version     string          `json:"version"`
	Baseline    string          `json:"baseline"`
	Candidate   string          `json:"candidate"`
	Codec       string          `json:"codec"`
	Decision    jsonDecision    `json:"decision"`
	Sizes       []jsonSize      `json:"sizes"`
	Inventories []jsonInventory `json:"inventories"`
}

type jsonSize struct {
	Gate        string   `json:"gate"`
	Of          string   `json:"of"` // "disk" or "wire"
	Mark        string   `json:"mark"`
	Neutral     bool     `json:"neutral"`
	Reason      string   `json:"reason,omitempty"`
	Previous    *int64   `json:"previous_bytes"`
	Current     *int64   `json:"current_bytes"`
	Max         *int64   `json:"max_bytes"`
	GrowthBytes *int64   `json:"max_growth_bytes,omitempty"`
	GrowthRatio *float64 `json:"max_growth_ratio,omitempty"`
}

type jsonInventory struct {
	Gate      string     `json:"gate"`
	Unchanged int        `json:"unchanged"`
	Changes   []jsonFile `json:"changes"`
}

type jsonFile struct {
	Path   string     `json:"path"`
	Change string     `json:"change"`
	Before *jsonEntry `json:"before,omitempty"`
	After  *jsonEntry `json:"after,omitempty"`
}

type jsonEntry struct {
	Mode string `json:"mode"`
	Size int64  `json:"size_bytes"`
	Link string `json:"link,omitempty"`
}

// SizesJSON writes the static gates for programs: one object, indented, in the
// schema JSONSchema.
func SizesJSON(w io.Writer, s Sizes) error {
	d := s.Verdict.Decision
	doc := sizesDocument{Schema: JSONSchema, Version: s.Version, Baseline: s.Baseline, Candidate: s.Candidate, Codec: s.Codec,
		Decision: jsonDecision{string(d.Outcome), list(d.Reasons)}, Sizes: []jsonSize{}, Inventories: []jsonInventory{}}
	for _, r := range s.Verdict.Rows {
		j := jsonSize{Gate: r.Gate, Of: string(r.Dimension), Mark: string(r.Mark), Neutral: r.Neutral(), Reason: r.Reason,
			Previous: r.Previous, Current: r.Current, Max: r.Limit.Max}
		if g := r.Limit.Growth; g != nil && g.Ratio > 0 {
			j.GrowthRatio = &g.Ratio
		} else if g != nil {
			j.GrowthBytes = &g.Bytes
		}
		doc.Sizes = append(doc.Sizes, j)
	}
	for _, i := range s.Inventories {
		j := jsonInventory{Gate: i.Gate, Unchanged: i.Unchanged, Changes: []jsonFile{}}
		all, _ := changes(i, len(i.Added)+len(i.Removed)+len(i.Changed))
		for _, c := range all {
			j.Changes = append(j.Changes, jsonFile{c.Path, c.What(), jsonEntryOf(c.Before), jsonEntryOf(c.After)})
		}
		doc.Inventories = append(doc.Inventories, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

func jsonEntryOf(e *artefact.Entry) *jsonEntry {
	if e == nil {
		return nil
	}
	return &jsonEntry{e.Mode.String(), e.Size, e.Link}
}
