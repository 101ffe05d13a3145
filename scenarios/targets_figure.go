package scenarios

import (
	"fmt"
	"regexp"
	"strings"
)

// Figure is one number in a target's statistics, as a description names it.
type Figure struct {
	Path   []string          // JSON: the keys that lead to it
	Metric string            // Prometheus: the metric's name
	Labels map[string]string // likewise: what its samples must have, and they may have more
}

var (
	metricSource = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?$`)
	labelSource  = regexp.MustCompile(`^\s*([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\]*)"\s*$`)
)

// NewFigure reads the name of a figure: in JSON its path, "server.packets"; in
// the text format of Prometheus the metric with labels if wanted,
// `lines_total{type="counter"}`.
func NewFigure(format StatisticsFormat, text string) (Figure, error) {
	if format == StatisticsJSON {
		path := strings.Split(text, ".")
		for _, key := range path {
			if key == "" {
				return Figure{}, fmt.Errorf("%q is no path: want keys with points between them, such as server.packets", clip(text))
			}
		}
		return Figure{Path: path}, nil
	}
	m := metricSource.FindStringSubmatch(text)
	if m == nil {
		return Figure{}, fmt.Errorf(`%q is no metric: want a name such as lines_total or lines_total{type="counter"}`, clip(text))
	}
	f := Figure{Metric: m[1], Labels: map[string]string{}}
	if m[2] == "" {
		return f, nil
	}
	for part := range strings.SplitSeq(m[2], ",") {
		label := labelSource.FindStringSubmatch(part)
		if label == nil {
			return Figure{}, fmt.Errorf(`%q is no label: want name="value"`, clip(part))
		}
		f.Labels[label[1]] = label[2]
	}
	return f, nil
}

func parseFigure(format StatisticsFormat) func(string) (string, error) {
	return func(text string) (string, error) {
		_, err := NewFigure(format, text)
		return text, err
	}
}
