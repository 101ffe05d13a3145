package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/internal/intake"
	"floodgate/internal/payload"
	"floodgate/scenarios"
)

func (a *app) intakeCommand() *cobra.Command {
	config := intake.Default()
	config.Sinks.Scrape.Last = true
	options := intakeOptions{}
	cmd := &cobra.Command{
		Use:   "intake",
		Short: "Run the counting intake alone until it is interrupted, then print its totals",
		Long: `Run the counting intake alone until it is interrupted, then print its totals as
JSON. It counts what any metric server flushes:

  over HTTP, always   Datadog series (v1, v2), sketches, events, service checks;
                      InfluxDB lines at /write and /api/v2/write; OTLP at /v1/metrics
  --graphite          Graphite lines over TCP
  --otlp-grpc         OTLP over gRPC, without TLS
  --scrape            a server's /metrics, as Prometheus asks for it
  --follow            a file that a server appends lines to
  --stdin             lines on standard input, until they end

--mapping says whose names arrive, so that totals have the names that were sent:
` + wrapped(intake.Mappings(), 76) + `

Faults for the sender to cope with are drawn from --seed: the same uploads are
struck each time, in the order in which they arrive.`,
		Example: `  floodgate intake --listen 127.0.0.1:8080
  floodgate intake --graphite 127.0.0.1:2003 --mapping etsy --for 1m
  floodgate intake --scrape http://127.0.0.1:9102/metrics --mapping statsd_exporter
  telegraf --config statsd.conf | floodgate intake --stdin influx --mapping telegraf
  floodgate intake --latency exponential:20ms --error-rate 0.1 --error-status 503
  floodgate intake --outage 2s-5s --slow-read 64KiB --reset-rate 0.01 --seed 7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.apply(&config); err != nil {
				return &usageError{err}
			}
			return a.intake(cmd.Context(), config, options)
		},
	}
	options.flags(cmd.Flags(), &config)
	return cmd
}

// wrapped is words with commas between them, in lines of a width, indented.
func wrapped(words []string, width int) string {
	var text strings.Builder
	line := " "
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		if len(line)+1+len(word) > width {
			text.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	return text.String() + line
}

// intakeOptions are the flags that are no plain fields of a config.
type intakeOptions struct {
	limit    time.Duration
	names    bool
	stdin    string
	follow   []string
	latency  string
	outage   string
	slowRead string
	maxBody  string
	maxLine  string
}

func (o *intakeOptions) flags(f *pflag.FlagSet, config *intake.Config) {
	sinks, faults := &config.Sinks, &config.Faults
	f.StringVar(&config.Listen, "listen", config.Listen, "address to listen on for HTTP")
	f.DurationVar(&o.limit, "for", time.Hour, "stop by itself after this time")
	f.BoolVar(&o.names, "names", false, "print the sum for each metric, too")

	f.StringVar(&sinks.Graphite, "graphite", "", "address to listen on for Graphite lines, such as 127.0.0.1:2003")
	f.StringVar(&sinks.OTLPGRPC, "otlp-grpc", "", "address to listen on for OTLP over gRPC, such as 127.0.0.1:4317")
	f.StringVar(&sinks.Scrape.URL, "scrape", "", "address of metrics to scrape, such as http://127.0.0.1:9102/metrics")
	f.DurationVar(&sinks.Scrape.Interval, "scrape-interval", sinks.Scrape.Interval, "time from one scrape to the next")
	f.StringArrayVar(&o.follow, "follow", nil, "LINES:FILE, a file that grows by graphite or influx lines; may be given again")
	f.StringVar(&o.stdin, "stdin", "", "count graphite or influx lines of standard input, and stop at its end")
	f.StringVar(&sinks.Mapping, "mapping", "", "server whose names arrive (see above); without one they stay as they are")

	f.StringVar(&o.maxBody, "max-body", "8MiB", "largest upload, compressed")
	f.StringVar(&o.maxLine, "max-line", "64KiB", "longest line")
	f.IntVar(&config.MaxConnections, "max-connections", config.MaxConnections, "connections open at once, of each listener; others wait")

	f.StringVar(&o.latency, "latency", "0s", "hold each upload: a time, uniform:MEAN or exponential:MEAN")
	f.Float64Var(&faults.ErrorRate, "error-rate", 0, "share of uploads to refuse, 0 to 1")
	f.IntVar(&faults.ErrorStatus, "error-status", 503, "HTTP status to refuse them with")
	f.Float64Var(&faults.ResetRate, "reset-rate", 0, "share of uploads whose connection is reset, 0 to 1")
	f.StringVar(&o.outage, "outage", "", "FROM-TO since the start: refuse everything with 503, such as 2s-5s")
	f.StringVar(&o.slowRead, "slow-read", "0", "read each connection at this many bytes a second, such as 64KiB; 0 is no limit")
	f.Uint64Var(&faults.Seed, "seed", 0, "decides which uploads the faults strike")
}

// apply completes the config, or names what is wrong with the flags.
func (o *intakeOptions) apply(config *intake.Config) error {
	if o.limit <= 0 {
		return fmt.Errorf("--for is %v, want more than 0", o.limit)
	}
	var errs []error
	flag := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", name, err))
		}
	}
	f := &config.Faults
	latency, err := scenarios.ParseLatency(o.latency)
	f.Latency, f.LatencyShape = latency.Mean, intake.LatencyShape(latency.Shape)
	flag("latency", err)
	if o.outage != "" {
		f.OutageFrom, f.OutageTo, err = intake.ParseOutage(o.outage)
		flag("outage", err)
	}
	f.SlowRead, err = scenarios.ParseBytes(o.slowRead)
	flag("slow-read", err)
	config.MaxBodyBytes, err = scenarios.ParseBytes(o.maxBody)
	flag("max-body", err)
	line, err := scenarios.ParseBytes(o.maxLine)
	flag("max-line", err)
	config.MaxLineBytes = int(line)
	for _, text := range o.follow {
		lines, path, found := strings.Cut(text, ":")
		if !found {
			flag("follow", fmt.Errorf("%q is not LINES:FILE, such as influx:out.lp", text))
			continue
		}
		config.Sinks.Files = append(config.Sinks.Files, intake.File{Path: path, Lines: intake.Lines(lines)})
	}
	if lines := intake.Lines(o.stdin); lines != "" && lines != intake.LinesGraphite && lines != intake.LinesInflux {
		flag("stdin", fmt.Errorf("lines are %q, allowed are graphite and influx", o.stdin))
	}
	if errs == nil {
		return config.Validate()
	}
	return errors.Join(errs...)
}

// intake serves until ctx or the limit ends and prints what was counted. Being
// interrupted is how it is meant to end.
func (a *app) intake(ctx context.Context, config intake.Config, options intakeOptions) error {
	in, err := intake.New(config)
	if err != nil {
		return err
	}
	a.announce(in)
	ctx, cancel := context.WithTimeout(ctx, options.limit)
	defer cancel()
	read := make(chan error, 1)
	if options.stdin != "" {
		// Where standard input does not end, the program ends without it.
		go func() {
			read <- in.ReadLines(os.Stdin, intake.Lines(options.stdin))
			cancel()
		}()
	}
	if err := in.Run(ctx); err != nil {
		return err
	}
	select {
	case err = <-read:
	default:
	}
	var totals intake.Totals
	err = errors.Join(err, in.DecodeAll(totals.Visitor()))
	for _, warning := range append(in.Warnings(), totals.Warnings()...) {
		fmt.Fprintln(a.stderr, "warning: "+warning)
	}
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	return errors.Join(err, encoder.Encode(summary(in.Activity(), &totals, options.names)))
}

// announce says where uploads go.
func (a *app) announce(in *intake.Intake) {
	fmt.Fprintf(a.stderr, "counting at %s\n", in.URL())
	if address := in.Graphite(); address != "" {
		fmt.Fprintf(a.stderr, "counting Graphite lines at %s\n", address)
	}
	if address := in.OTLPGRPC(); address != "" {
		fmt.Fprintf(a.stderr, "counting OTLP over gRPC at %s\n", address)
	}
}

// summary is what the command prints.
func summary(activity intake.Activity, totals *intake.Totals, names bool) map[string]any {
	sketches := totals.Sketches()
	s := map[string]any{
		"requests":    activity.Requests,
		"bytes":       activity.Bytes,
		"connections": activity.Connections,
		"duplicates":  activity.Duplicates,
		"refused":     activity.Refused,
		"invalid":     activity.Invalid,
		"derived":     activity.Derived,
		"counters":    totals.Counters(),
		"counts":      totalOf(totals, payload.Count),
		"rates":       totalOf(totals, payload.Rate),
		"gauges":      totalOf(totals, payload.Gauge),
		"unspecified": totalOf(totals, payload.Unspecified),
		"sketches":    map[string]any{"context_keys": sketches.Keys, "values": sketches.Count, "sum": sketches.Sum},
		"events":      totals.Events,
		"checks":      totals.Checks,
	}
	if names {
		sums := map[string]float64{}
		for _, typ := range []payload.Type{payload.Count, payload.Rate, payload.Gauge, payload.Unspecified} {
			for name, total := range totals.ByName(typ) {
				sums[name] += total.Sum
			}
		}
		s["names"] = sums
	}
	return s
}

// typeTotal is what arrived with one type of series, as it is printed.
type typeTotal struct {
	ContextKeys int     `json:"context_keys"`
	Series      int64   `json:"series"`
	Points      int64   `json:"points"`
	Sum         float64 `json:"sum"`
}

func totalOf(totals *intake.Totals, typ payload.Type) typeTotal {
	t := totals.OfType(typ)
	return typeTotal{ContextKeys: t.Keys, Series: t.Series, Points: t.Points, Sum: t.Sum}
}
