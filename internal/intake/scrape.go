package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"floodgate/internal/payload"
)

// scrapeTimeout is how long one scrape may take.
const scrapeTimeout = 10 * time.Second

// scraper asks a target for its metrics.
type scraper struct {
	config Scrape
	client *http.Client

	mu      sync.Mutex // one scrape at a time, in the order of their answers
	worked  bool       // any so far
	over    bool       // the last one has worked
	failing int        // how many have failed since one worked
	failure error      // of the last of these
}

func newScraper(config Scrape) *scraper {
	return &scraper{config: config, client: &http.Client{
		Timeout: scrapeTimeout,
		// Compression would cost the target what its own users may not pay.
		Transport: &http.Transport{DisableCompression: true, MaxIdleConns: 1},
	}}
}

// ScrapeLast asks the target for its metrics once more, and when that works for
// the last time: scrapes at intervals end with it. What counts of cumulative
// series is the last scrape, so that this is to be called right before a target
// is stopped. It fails where no scraping was asked for, and when the target does
// not answer with metrics; then nothing of the answer counts.
func (i *Intake) ScrapeLast(ctx context.Context) error {
	s := i.scraper
	if s == nil {
		return errors.New("cannot scrape: the intake was given no target to scrape")
	}
	return i.scrape(ctx, true)
}

// scrape is one scrape, and remembers how it went. One that fails in between
// loses nothing. After the last one it does nothing.
func (i *Intake) scrape(ctx context.Context, last bool) error {
	s := i.scraper
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over && !last {
		return nil
	}
	switch err := i.scrapeOnce(ctx); {
	case err == nil:
		s.worked, s.failing, s.failure, s.over = true, 0, nil, s.over || last
		return nil
	case ctx.Err() == nil:
		s.failing, s.failure = s.failing+1, err
		return err
	case s.failure == nil && !s.worked:
		s.failure = err
		return err
	default:
		return err
	}
}

func (i *Intake) scrapeOnce(ctx context.Context) error {
	s := i.scraper
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.URL, nil)
	if err != nil {
		return fmt.Errorf("cannot scrape %s: %w", s.config.URL, err)
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4,*/*;q=0.1")
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("cannot scrape %s: %w", s.config.URL, err)
	}
	defer response.Body.Close()
	body, err := s.read(response)
	if err != nil {
		i.refused.Add(1)
		i.notes.add(fmt.Sprintf("a scrape was refused: %v", err))
		return fmt.Errorf("cannot scrape %s: %w", s.config.URL, err)
	}
	return i.take(upload{format: scrapeText, encoding: payload.Identity, body: body}, "")
}

// read returns the body of an answer, if it is one of metrics.
func (s *scraper) read(response *http.Response) ([]byte, error) {
	content := response.Header.Get("Content-Type")
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers %s", response.Status)
	case content != "" && !strings.HasPrefix(content, "text/plain"):
		return nil, fmt.Errorf("it answers in %.60q, want text/plain", content)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, s.config.MaxBytes+1))
	if err == nil && int64(len(body)) > s.config.MaxBytes {
		err = fmt.Errorf("the answer is larger than %d bytes", s.config.MaxBytes)
	}
	return body, err
}

// scrapeAtIntervals scrapes until ctx ends, and where it is asked for once more
// then.
func (i *Intake) scrapeAtIntervals(ctx context.Context) error {
	s := i.scraper
	defer s.client.CloseIdleConnections()
	ticker := time.NewTicker(s.config.Interval)
	defer ticker.Stop()
	for running := true; running; {
		_ = i.scrape(ctx, false) // kept, for the end
		select {
		case <-ticker.C:
		case <-ctx.Done():
			running = false
		}
	}
	if s.config.Last {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		_ = i.scrape(grace, false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.worked:
		i.notes.add(fmt.Sprintf("no scrape worked: %v", s.failure))
	case s.failing > 0:
		i.notes.add(fmt.Sprintf("the last %d scrapes failed, so that nothing after the one before is counted: %v", s.failing, s.failure))
	}
	return nil
}
