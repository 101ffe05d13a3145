package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"
)

// Statistics is what a target tells about itself, by the names of the target
// contract. What it does not tell is nil.
type Statistics struct {
	Reader *string `json:"reader"`
	Flush  *string `json:"flush"`

	Datagrams       *int64 `json:"datagrams"`
	Received        *int64 `json:"received"`
	QueueDropped    *int64 `json:"queue_dropped"`
	Malformed       *int64 `json:"malformed"`
	Truncated       *int64 `json:"truncated"`
	Rejected        *int64 `json:"rejected"`
	ShutdownDropped *int64 `json:"shutdown_dropped"`
	Aggregated      *int64 `json:"aggregated"`
	UploadFailed    *int64 `json:"upload_failed"`
	Pending         *int64 `json:"pending"`

	QueueLength *int64 `json:"queue_length"`
	QueuePeak   *int64 `json:"queue_peak"`

	FlushStallMax       *float64 `json:"flush_stall_max_seconds"`
	FlushStallTotal     *float64 `json:"flush_stall_total_seconds"`
	FlushStallHistogram string   `json:"flush_stall_histogram"`
}

// probe asks a target for its statistics.
type probe struct {
	url    string
	client http.Client
}

func newProbe(url string) *probe {
	return &probe{url: url, client: http.Client{Timeout: time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}}
}

func (p *probe) ask(ctx context.Context) (*Statistics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", p.url, resp.Status)
	}
	return parseStatistics(body)
}

func (p *probe) close() { p.client.CloseIdleConnections() }

// readStatistics reads the statistics that a target left behind when it ended;
// nil when it left none.
func readStatistics(path string) (*Statistics, error) {
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseStatistics(body)
}

func parseStatistics(body []byte) (*Statistics, error) {
	var s Statistics
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("cannot read the target's statistics: %w", err)
	}
	return &s, nil
}

// drainedBy reports whether the target says, in the latest of its answers, that
// everything it took has left for the intake. told is false for one that never
// says. One that has said so before and does not answer now is busy.
func drainedBy(ticks []tick) (done, told bool) {
	for i := len(ticks) - 1; i >= 0; i-- {
		s := ticks[i].stats
		if s == nil {
			continue
		}
		if s.Pending == nil {
			return false, false
		}
		empty := *s.Pending == 0 && (s.QueueLength == nil || *s.QueueLength == 0)
		return empty && i == len(ticks)-1, true
	}
	return false, false
}
