package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"floodgate/internal/intake"
	"floodgate/internal/payload"
)

func (a *app) intakeCommand() *cobra.Command {
	config := intake.Default()
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "intake",
		Short: "Run the counting intake alone until it is interrupted, then print its totals",
		Example: `  floodgate intake --listen 127.0.0.1:8080
  floodgate intake --for 1m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.Validate(); err != nil {
				return &usageError{err}
			}
			if limit <= 0 {
				return usagef("--for is %v, want more than 0", limit)
			}
			return a.intake(cmd.Context(), config, limit)
		},
	}
	cmd.Flags().StringVar(&config.Listen, "listen", config.Listen, "address to listen on")
	cmd.Flags().DurationVar(&limit, "for", time.Hour, "stop by itself after this time")
	return cmd
}

// intake serves until ctx or the limit ends and prints what was counted. Being
// interrupted is how it is meant to end.
func (a *app) intake(ctx context.Context, config intake.Config, limit time.Duration) error {
	in, err := intake.New(config)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "counting at %s\n", in.URL())
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := in.Run(ctx); err != nil {
		return err
	}
	var totals intake.Totals
	if err := in.Decode(func(at time.Time, s *payload.Series) error {
		totals.Add(at, s)
		return nil
	}); err != nil {
		return err
	}
	activity := in.Activity()
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{
		"requests":    activity.Requests,
		"bytes":       activity.Bytes,
		"connections": activity.Connections,
		"duplicates":  activity.Duplicates,
		"refused":     activity.Refused,
		"counts":      totalOf(&totals, payload.Count),
		"rates":       totalOf(&totals, payload.Rate),
		"gauges":      totalOf(&totals, payload.Gauge),
	})
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
