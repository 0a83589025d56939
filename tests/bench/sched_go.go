// SPDX-License-Identifier: BSD-3-Clause

// What Go's scheduler costs for the event of sched_bench.c: wake one of N parked goroutines through
// its channel, in bursts of 32, three frames of handler, park. And bytes per parked goroutine.
//
// GOMAXPROCS=1 taskset -c 1 go run tests/bench/sched_go.go
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"syscall"
	"time"
)

const (
	burst  = 32
	rounds = 7
)

var total uint64

//go:noinline
func flowRecv(c chan int) int {
	return <-c
}

//go:noinline
func appRecv(c chan int, bytes *uint64) int {
	n := flowRecv(c)
	*bytes += uint64(n)
	return n
}

func handler(c chan int) {
	var bytes uint64
	for appRecv(c, &bytes) != 0 {
	}
	total += bytes
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(name string, once func() float64) {
	ns := make([]float64, rounds)
	once()
	for i := range ns {
		ns[i] = once()
	}
	sort.Float64s(ns)
	fmt.Printf("%-52s %8.2f  (%.2f - %.2f)\n", name, ns[rounds/2], ns[0], ns[rounds-1])
}

func memoryKB() int {
	text, _ := os.ReadFile("/proc/self/status")
	sum := 0
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmPTE:") {
			var kb int
			fmt.Sscan(strings.Fields(line)[1], &kb)
			sum += kb
		}
	}
	return sum
}

func events(count int) {
	before := memoryKB()
	chans := make([]chan int, count)
	for i := range chans {
		chans[i] = make(chan int, 1)
		go handler(chans[i])
		if i%burst == burst-1 {
			runtime.Gosched()
		}
	}
	runtime.Gosched()
	after := memoryKB()
	ids := make([]int32, 1<<20)
	for i := range ids {
		ids[i] = int32(rand.Intn(count))
	}
	next, n := 0, 1<<20
	report(fmt.Sprintf("Go: event, uniform over %d", count), func() float64 {
		start := cpu()
		for done := 0; done < n; done += burst {
			for i := 0; i < burst; i++ {
				select { // a second packet for the same flow in one burst is one wake
				case chans[ids[next+i]] <- 64:
				default:
				}
			}
			next = (next + burst) % len(ids)
			runtime.Gosched()
		}
		return float64(cpu()-start) / float64(n)
	})
	fmt.Printf("goroutines=%d rss=%d KB (%d B/goroutine)\n", count, after, (after-before)*1024/count)
	for _, c := range chans {
		c <- 0
	}
	runtime.Gosched()
}

func main() {
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(1)
	events(64)
	events(10000)
	events(100000)
	events(1000000)
	report("Go: spawn + finish", func() float64 {
		const n = 1 << 20
		start := cpu()
		for done := 0; done < n; done += burst {
			for i := 0; i < burst; i++ {
				go func() { total++ }()
			}
			runtime.Gosched()
		}
		return float64(cpu()-start) / n
	})
}
