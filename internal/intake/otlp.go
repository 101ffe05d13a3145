package intake

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // senders compress with it
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"floodgate/internal/payload"
)

// The one method of OTLP that takes metrics.
const (
	otlpService = "opentelemetry.proto.collector.metrics.v1.MetricsService"
	otlpMethod  = "Export"
)

// rawCodec hands messages on as they are: the spool keeps bytes, and they are
// decoded after the load.
type rawCodec struct{}

// Name is that of the encoding which the messages have.
func (rawCodec) Name() string { return "proto" }

// Marshal returns the bytes of v, which is the answer.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// Unmarshal copies the bytes to v, because their memory is gRPC's.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// serveOTLP takes OTLP over gRPC until ctx ends.
func (i *Intake) serveOTLP(ctx context.Context) error {
	server := grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(int(i.config.MaxBodyBytes)),
		grpc.WaitForHandlers(true),
	)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: otlpService,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: otlpMethod,
			Handler: func(_ any, call context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				return i.export(ctx, call, decode)
			},
		}},
	}, nil)
	served := make(chan error, 1)
	go func() { served <- server.Serve(i.otlp) }()
	select {
	case err := <-served:
		server.Stop()
		return fmt.Errorf("cannot serve OTLP on %s: %w", i.otlp.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	defer context.AfterFunc(grace, server.Stop)()
	server.GracefulStop()
	server.Stop() // waits for the handlers, also where GracefulStop was cut short
	<-served
	return nil
}

// export takes one request. stopping ends with the intake, call with the
// request.
func (i *Intake) export(stopping, call context.Context, decode func(any) error) (any, error) {
	var body []byte
	if err := decode(&body); err != nil {
		i.refused.Add(1)
		i.notes.add(fmt.Sprintf("a gRPC request was refused: %v", status.Convert(err).Message()))
		return nil, err
	}
	held, cancel := context.WithCancel(call)
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	d, err := i.decide(held, true)
	switch {
	case err != nil:
		i.refused.Add(1)
		return nil, status.Error(codes.Unavailable, err.Error())
	case d.Reset:
		i.refused.Add(1)
		i.resetPeer(call)
		return nil, status.Error(codes.Unavailable, refusedOnPurpose)
	case d.Status != 0:
		i.refused.Add(1)
		return nil, status.Error(grpcCode(d.Status), refusedOnPurpose)
	}
	if err := i.take(upload{format: otlpProtobuf, encoding: payload.Identity, body: body}, ""); err != nil {
		i.refused.Add(1)
		i.notes.add(fmt.Sprintf("a gRPC request was refused: %v", err))
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return new([]byte), nil
}

// resetPeer resets the connection that a call came on.
func (i *Intake) resetPeer(call context.Context) {
	from, ok := peer.FromContext(call)
	if !ok {
		return
	}
	if c, ok := i.otlp.open.Load(from.Addr.String()); ok {
		c.(*conn).reset()
	}
}

// grpcCode is what stands for an HTTP status in gRPC, so that a sender retries
// where it would over HTTP.
func grpcCode(httpStatus int) codes.Code {
	switch httpStatus {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusInternalServerError:
		return codes.Internal
	case http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	}
	return codes.Unavailable
}
