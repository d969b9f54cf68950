package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// TestStress looks for races in the kernel: short by default, GOSOLO_SOAK times as long in a soak.
func TestStress(t *testing.T) {
	times, err := strconv.Atoi(setting("GOSOLO_SOAK", "1"))
	if err != nil || times < 1 {
		t.Fatal("GOSOLO_SOAK must be a number")
	}
	cases := []struct {
		shows string
		size  int
	}{{"futex", 20_000}, {"memory", 60}, {"threads", 1_000}, {"channels", 200}, {"timers", 20}, {"pollers", 60}}
	eachConfig(t, func(t *testing.T, c config) {
		for _, s := range cases {
			t.Run(s.shows, func(t *testing.T) {
				t.Parallel()
				compareJob(t, c, job{binary: "stress", args: []string{s.shows, fmt.Sprint(s.size * times)},
					timeout: 2 * time.Minute * time.Duration(times)}, nil, nil)
			})
		}
		t.Run("registers", func(t *testing.T) {
			t.Parallel()
			compareJob(t, c, job{binary: "core", args: []string{"registers", fmt.Sprint(2000 * times)},
				timeout: 2 * time.Minute * time.Duration(times)}, nil, nil)
		})
	})
}
