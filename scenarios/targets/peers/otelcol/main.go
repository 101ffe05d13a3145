// Command otelcol is an OpenTelemetry Collector with as little in it as a target
// needs: the StatsD receiver, and an exporter that posts OTLP over HTTP.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/statsdreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelcol", Description: "StatsD receiver and plain OTLP over HTTP", Version: "0.164.1"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
			DefaultScheme:     "file",
		}},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "otelcol:", err)
		os.Exit(1)
	}
}

func factories() (otelcol.Factories, error) {
	receivers, err := otelcol.MakeFactoryMap[receiver.Factory](statsdreceiver.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	exporters, err := otelcol.MakeFactoryMap[exporter.Factory](debugexporter.NewFactory(), exporter.NewFactory(
		component.MustNewType("otlp_post"), func() component.Config { return &config{} },
		exporter.WithMetrics(newPoster, component.StabilityLevelStable)))
	return otelcol.Factories{Receivers: receivers, Exporters: exporters, Telemetry: otelconftelemetry.NewFactory()}, err
}

// config is that of the exporter otlp_post.
type config struct {
	Endpoint string `mapstructure:"endpoint"` // such as http://127.0.0.1:4318, without a path
}

// poster sends each batch as one protobuf request, without a queue or another
// try: what it cannot send is an error in the collector's log.
type poster struct {
	url    string
	client http.Client
}

func newPoster(_ context.Context, _ exporter.Settings, c component.Config) (exporter.Metrics, error) {
	return &poster{url: c.(*config).Endpoint + "/v1/metrics"}, nil
}

func (p *poster) Start(context.Context, component.Host) error { return nil }

func (p *poster) Shutdown(context.Context) error {
	p.client.CloseIdleConnections()
	return nil
}

func (p *poster) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (p *poster) ConsumeMetrics(ctx context.Context, metrics pmetric.Metrics) error {
	body, err := pmetricotlp.NewExportRequestFromMetrics(metrics).MarshalProto()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("cannot post metrics to %s: it answered %s", p.url, resp.Status)
	}
	return nil
}
