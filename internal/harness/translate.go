package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"floodgate/scenarios"
)

// translation turns a foreign target's statistics into ours, by the names that
// its description gives.
type translation struct {
	format  scenarios.StatisticsFormat
	figures map[string][]scenarios.Figure // by our names
}

func newTranslation(described *scenarios.TargetStatistics) (*translation, error) {
	t := &translation{format: described.Format, figures: map[string][]scenarios.Figure{}}
	for name, sources := range described.Map {
		for _, source := range sources {
			figure, err := scenarios.NewFigure(t.format, source)
			if err != nil {
				return nil, err
			}
			t.figures[name] = append(t.figures[name], figure)
		}
	}
	return t, nil
}

func (t *translation) parse(body []byte) (*Statistics, error) {
	find, err := t.read(body)
	if err != nil {
		return nil, fmt.Errorf("cannot read the target's statistics: %w", err)
	}
	// By our names, as if the target had told so itself.
	ours := map[string]int64{}
	for name, figures := range t.figures {
		sum, found := 0.0, false
		for _, figure := range figures {
			if value, ok := find(figure); ok {
				sum, found = sum+value, true
			}
		}
		if found && !math.IsNaN(sum) && math.Abs(sum) < 1<<62 {
			ours[name] = int64(math.Round(sum))
		}
	}
	text, err := json.Marshal(ours)
	if err != nil {
		return nil, err
	}
	s, err := parseStatistics(text)
	if err == nil {
		s.Foreign = true
	}
	return s, err
}

func (t *translation) read(body []byte) (func(scenarios.Figure) (float64, bool), error) {
	if t.format == scenarios.StatisticsPrometheus {
		samples, err := t.samples(body)
		return func(f scenarios.Figure) (float64, bool) { return sumOf(samples[f.Metric], f.Labels) }, err
	}
	var root any
	err := json.Unmarshal(body, &root)
	return func(f scenarios.Figure) (float64, bool) { return numberAt(root, f.Path) }, err
}

// sample is one line of the text format of Prometheus.
type sample struct {
	labels map[string]string
	value  float64
}

// samples reads the lines of the metrics that are asked for and no others: a
// page may have a line for each contextKey, and reading those would take the
// processor from whoever is measured.
func (t *translation) samples(body []byte) (map[string][]sample, error) {
	found := map[string][]sample{}
	for line := range bytes.Lines(body) {
		name := line[:max(0, bytes.IndexAny(line, "{ \t"))]
		if !t.wants(name) {
			continue
		}
		one, ok := readSample(string(line[len(name):]))
		if !ok {
			return nil, fmt.Errorf("line %q is not of the text format of Prometheus", bytes.TrimSpace(line))
		}
		found[string(name)] = append(found[string(name)], one)
	}
	return found, nil
}

// readSample reads what follows the name of a metric: labels in braces, if any,
// the value, and a timestamp, if any.
func readSample(text string) (s sample, ok bool) {
	s.labels = map[string]string{}
	if rest, braces := strings.CutPrefix(text, "{"); braces {
		for text = strings.TrimLeft(rest, ", "); !strings.HasPrefix(text, "}"); text = strings.TrimLeft(text, ", ") {
			name, quoted, _ := strings.Cut(text, "=")
			literal, err := strconv.QuotedPrefix(quoted)
			if err != nil {
				return s, false
			}
			s.labels[name], _ = strconv.Unquote(literal)
			text = quoted[len(literal):]
		}
		text = text[1:]
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return s, false
	}
	var err error
	s.value, err = strconv.ParseFloat(words[0], 64)
	return s, err == nil
}

func (t *translation) wants(name []byte) bool {
	for _, figures := range t.figures {
		for _, figure := range figures {
			if figure.Metric == string(name) {
				return true
			}
		}
	}
	return false
}

// sumOf adds up the samples that have the labels.
func sumOf(samples []sample, labels map[string]string) (sum float64, found bool) {
	for _, s := range samples {
		matches := true
		for name, value := range labels {
			matches = matches && s.labels[name] == value
		}
		if matches {
			sum, found = sum+s.value, true
		}
	}
	return sum, found
}

// numberAt follows a path through decoded JSON.
func numberAt(root any, path []string) (float64, bool) {
	for _, key := range path {
		object, ok := root.(map[string]any)
		if !ok {
			return 0, false
		}
		root = object[key]
	}
	number, ok := root.(float64)
	return number, ok
}
