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

	"floodgate/scenarios"
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
	WakeLateMax         *float64 `json:"wake_late_max_seconds"`
	FlushCPU            *int64   `json:"flush_cpu_ns"`
	FlushStallHistogram string   `json:"flush_stall_histogram"`

	IngestLatencyHistogram string `json:"ingest_latency_histogram"`

	// QueueDroppedDatagrams are datagrams that were read and dropped unseen; a
	// foreign target counts them before it knows of messages.
	QueueDroppedDatagrams *int64 `json:"queue_dropped_datagrams"`
	// Foreign says that the figures were mapped from names that are not ours:
	// what they count comes close to the contract's meaning, and no closer.
	Foreign bool `json:"-"`
}

// mostStatistics bounds one answer: a page of metrics has a line for each
// contextKey and more.
const mostStatistics = 256 << 20

// probe asks a target for its statistics.
type probe struct {
	url    string
	every  time.Duration
	parse  func([]byte) (*Statistics, error)
	client http.Client
	asked  time.Time // the last time
}

// newProbe asks at url as the description says.
func newProbe(url string, described *scenarios.TargetStatistics) (*probe, error) {
	p := &probe{url: url, every: described.Every, parse: parseStatistics,
		client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}}
	if len(described.Map) == 0 {
		return p, nil
	}
	translation, err := newTranslation(described)
	p.parse = translation.parse
	return p, err
}

// due reports whether it is time to ask again, and takes note. The interval
// leaves a little for the sampler's ticks to be early. A target that may be asked
// at every tick is.
func (p *probe) due(now time.Time) bool {
	if p.every > sampleInterval && !p.asked.IsZero() && now.Sub(p.asked) < p.every*9/10 {
		return false
	}
	p.asked = now
	return true
}

func (p *probe) ask(ctx context.Context) (*Statistics, error) {
	body, err := get(ctx, &p.client, p.url)
	if err != nil {
		return nil, err
	}
	return p.parse(body)
}

func (p *probe) close() { p.client.CloseIdleConnections() }

// get returns the body of an answer of 200.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostStatistics))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return body, nil
}

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
	answered := true // the latest question
	for i := len(ticks) - 1; i >= 0; i-- {
		s := ticks[i].stats
		if s == nil {
			answered = answered && ticks[i].unasked
			continue
		}
		if s.Pending == nil {
			return false, false
		}
		empty := *s.Pending == 0 && (s.QueueLength == nil || *s.QueueLength == 0)
		return empty && answered, true
	}
	return false, false
}
