package forward

import (
	"context"
	"fmt"
	"testing"
	"time"

	"floodgate/internal/payload"
	"floodgate/server/aggregate"
)

// BenchmarkFlush encodes and compresses a cut of 100,000 counters with four
// tags, without sending it: what a flush costs per series in each format and
// encoding.
func BenchmarkFlush(b *testing.B) {
	const keys = 100_000
	for _, format := range Formats {
		for _, encoding := range payload.Encodings {
			b.Run(format+"/"+encoding, func(b *testing.B) {
				config := Default()
				config.URL, config.Format, config.Encoding = "http://127.0.0.1:1", format, encoding
				f, err := New(config)
				if err != nil {
					b.Fatal(err)
				}
				to := seriesJSON
				if format == Protobuf {
					to = seriesProtobuf
				}
				var raw, compressed int64
				f.encoders[to], err = NewBatchEncoder(EncoderConfig{
					Encoding: encoding, ThresholdBytes: config.ThresholdBytes, MaxRawBytes: config.MaxRawBytes,
					Open: to.open, Close: func(bool) string { return to.close }, Packed: to.packed,
				}, func(_ context.Context, batch Batch) error {
					raw += batch.Raw
					compressed += int64(len(batch.Body))
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				table := aggregate.NewTable(aggregate.Default())
				now := time.Unix(1_000_000, 0).UnixNano()
				table.Advance(now)
				for k := range keys {
					table.AddDatagram(fmt.Appendf(nil, "requests.%06d:%d|c|#env:prod,svc:web-%d,az:b,host:%05d", k, k%97, k%9, k%777), false)
				}
				cut := table.Cut(true)
				b.ReportAllocs()
				for b.Loop() {
					var lost losses
					if f.flushSeries(b.Context(), cut.Each, &lost); lost.first != nil {
						b.Fatal(lost.first)
					}
				}
				n := float64(b.N) * keys
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/series")
				b.ReportMetric(float64(raw)/n, "rawB/series")
				b.ReportMetric(float64(compressed)/n, "B/series")
			})
		}
	}
}
