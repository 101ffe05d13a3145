package record

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const formatPage = "../../docs/record-format.md"

// jsonNames calls found with the name of every field of t in JSON.
func jsonNames(t reflect.Type, found func(name string)) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		jsonNames(t.Elem(), found)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				found(name)
				jsonNames(f.Type, found)
			}
		}
	}
}

// TestPageNamesEveryField: a field that the page does not explain is one that
// its readers guess at.
func TestPageNamesEveryField(t *testing.T) {
	text, err := os.ReadFile(formatPage)
	if err != nil {
		t.Fatal(err)
	}
	// As `name` alone, or as a part of `parent.name`.
	named := func(name string) bool {
		return regexp.MustCompile("`([a-z_]+\\.)?" + regexp.QuoteMeta(name) + "(\\.[a-z_]+)?`").Match(text)
	}
	fields := 0
	jsonNames(reflect.TypeFor[Record](), func(name string) {
		fields++
		if !named(name) {
			t.Errorf("%s does not name the field %q", formatPage, name)
		}
	})
	if fields < 70 {
		t.Errorf("only %d fields were found: the walk has lost touch with the types", fields)
	}
	for _, name := range []string{
		PhaseStarting, PhaseWarmUp, PhaseMeasuring, PhaseDraining, PhaseStopping,
		ColumnTime, ColumnOffered, ColumnSent, ColumnReceived, ColumnDelivered, ColumnKernelDropped,
		ColumnQueueDropped, ColumnQueueLength, ColumnKernelQueue, ColumnRSS, ColumnCPU,
		HistogramLateness, HistogramIngestLatency, HistogramFreshness, HistogramFlushStall,
		ByCgroup, ByAffinity, ByNone,
		Baseline, Candidate,
	} {
		if !named(name) {
			t.Errorf("%s does not name %q", formatPage, name)
		}
	}
}

// TestPageExample: the example on the page is a record, and its ledger
// balances.
func TestPageExample(t *testing.T) {
	text, err := os.ReadFile(formatPage)
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "```json\n")
	example, _, closed := strings.Cut(example, "```")
	if !found || !closed {
		t.Fatal("the page has no example")
	}
	name := filepath.Join(t.TempDir(), "00.json")
	if err := os.WriteFile(name, []byte(example), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if faults := r.Ledger.Balance(); faults != nil {
		t.Errorf("its ledger does not balance: %v", faults)
	}
}

// TestFixtureIsFull: the record that the round trip is tested with has a value
// in every field, so that a field which is lost on the way is missed.
func TestFixtureIsFull(t *testing.T) {
	// May be zero: a shortfall, a rest, and the fields of a list's first item.
	may := map[string]bool{"not_sent": true, "unattributed": true, "unaccounted": true, "start_seconds": true}
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		if v.IsZero() && !may[name] {
			t.Errorf("%s is not set", name)
		}
		switch v.Kind() {
		case reflect.Pointer:
			walk(v.Elem(), name)
		case reflect.Slice:
			walk(v.Index(0), name)
		case reflect.Struct:
			for i := range v.NumField() {
				if key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); key != "" {
					walk(v.Field(i), key)
				}
			}
		}
	}
	walk(reflect.ValueOf(*full()), "record")
}
