package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// askGRPC asks gRPC's own service of health n times, from as many goroutines as there are writers, and
// counts the right answers.
func askGRPC(ctx context.Context, n int) (answers int, err error) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	server := grpc.NewServer()
	defer server.GracefulStop()
	healthpb.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	client := healthpb.NewHealthClient(connection)
	got := make(chan error, n)
	for w := 0; w < writers; w++ {
		go func() {
			for i := 0; i < n/writers; i++ {
				_, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
				got <- err
			}
		}()
	}
	for i := 0; i < n; i++ {
		if e := <-got; e != nil {
			err = e
			continue
		}
		answers++
	}
	return answers, err
}
