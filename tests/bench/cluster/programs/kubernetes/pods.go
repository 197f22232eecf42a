package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	runtime "k8s.io/cri-client/pkg"
)

const perCall = 20 * time.Second

// removePods ends every pod of a container runtime at once, with its network and its containers, as the kubelet would one
// after the other. The kubelet must have ended, or it makes them again.
func removePods(endpoint string) error {
	ctx := context.Background()
	service, err := runtime.NewRemoteRuntimeService(ctx, endpoint, perCall, noop.NewTracerProvider(), false)
	if err != nil {
		return err
	}
	pods, err := service.ListPodSandbox(ctx, nil)
	if err != nil {
		return err
	}
	failures := make([]error, len(pods))
	var all sync.WaitGroup
	for number, pod := range pods {
		all.Go(func() {
			failures[number] = errors.Join(service.StopPodSandbox(ctx, pod.Id), service.RemovePodSandbox(ctx, pod.Id))
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

func runRemovePods() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: remove-pods unix:///SOCKET")
		os.Exit(2)
	}
	if err := removePods(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
