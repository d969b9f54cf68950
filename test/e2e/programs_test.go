package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// programs are run on both sides and compared. The name says what the run shows.
var programs = []struct {
	shows          string
	job            job
	stdout, stderr filter
}{
	{shows: "hello_prints_its_line", job: job{binary: "hello"}},
	{shows: "a_program_may_say_nothing", job: core("nothing")},
	{shows: "arguments_arrive", job: core("args", "one", "", "two words", "-flag", "--", "%41", `q"uo\te`, "ümlaut", "tab\tnewline\n")},
	{shows: "environment_arrives", job: job{binary: "core", args: []string{"env", "A", "EMPTY", "WORDS", "UNSET", "LANGUAGE"},
		env: []string{"A=1", "EMPTY=", "WORDS=two words = three", "LANGUAGE=日本語"}}},
	{shows: "stdin_reaches_its_end", job: job{binary: "core", args: []string{"cat"}, stdin: strings.NewReader("x")}},
	{shows: "stdin_may_be_empty", job: job{binary: "core", args: []string{"cat"}, stdin: strings.NewReader("")}},
	{shows: "stdin_of_3_MB", job: job{binary: "core", args: []string{"cat"}, stdin: bytes.NewReader(pattern(3_000_000))}},
	{shows: "stdout_and_stderr_10_MB_each_at_once", job: core("output", "10000000")},
	{shows: "log_goes_to_stderr", job: core("log")},
	{shows: "exit_in_a_deferred_call", job: core("exit-defer")},
	{shows: "identity", job: core("identity")},

	{shows: "panic_ends_with_2", job: core("panic"), stderr: traceback},
	{shows: "panic_with_an_error", job: core("panic-error"), stderr: traceback},
	{shows: "panic_in_a_goroutine", job: core("panic-goroutine"), stderr: traceback},
	{shows: "panic_while_panicking", job: core("panic-again"), stderr: traceback},
	{shows: "nil_dereference_ends_with_2", job: core("nil"), stderr: traceback},
	{shows: "run-time_errors_are_recovered", job: core("recover")},
	{shows: "deadlock_is_found", job: core("deadlock"), stderr: traceback},
	{shows: "stack_overflow_is_found", job: core("overflow"), stderr: firstLine},
	{shows: "concurrent_map_writes_are_found", job: core("map-race"), stderr: firstLine},
	{shows: "fault_at_an_unmapped_address", job: core("fault"), stderr: traceback},
	{shows: "fault_at_a_non-canonical_address", job: core("fault-high"), stderr: traceback},
	{shows: "fault_on_read-only_data", job: core("fault-rodata"), stderr: traceback},
	{shows: "faults_are_recovered_with_their_address", job: core("fault-recover")},
	{shows: "breakpoint_ends_with_2", job: core("breakpoint"), stderr: traceback},
	{shows: "overrun_of_an_own_stack", job: core("stack-overrun"), stderr: firstLine},
	{shows: "data_is_not_executed", job: core("execute-data"), stderr: firstLine},
	{shows: "a_call_to_nowhere", job: core("execute-nowhere"), stderr: firstLine},
	{shows: "a_call_to_a_non-canonical_address", job: core("jump-non-canonical"), stderr: firstLine},
	{shows: "a_fault_in_a_handler_ends_with_139", job: core("fault-in-handler")},
	{shows: "a_signal_without_a_stack_ends_with_139", job: core("bad-altstack")},
	{shows: "too_many_threads", job: core("thread-limit"), stderr: firstLine},
	{shows: "more_threads_than_the_user_may_have", job: core("thread-rlimit"), stderr: firstWords},
	{shows: "more_memory_than_there_can_be", job: core("huge-allocation"), stderr: firstLine},
	{shows: "more_mappings_than_there_may_be", job: core("out-of-mappings"), stderr: noMemory},
	{shows: "more_memory_than_RLIMIT_AS", job: core("address-limit"), stderr: noMemory},
	{shows: "more_CPU_time_than_RLIMIT_CPU", job: core("cpu-limit", "1", "2")},
	{shows: "default_action_of_SIGUSR1", job: core("default-action", "10")},
	{shows: "default_action_of_SIGSEGV", job: core("default-action", "11")},
	{shows: "default_action_of_SIGPIPE", job: core("default-action", "13")},
	{shows: "default_action_of_a_real-time_signal", job: core("default-action", "40")},
	{shows: "Goexit_of_main", job: core("goexit")},
	{shows: "death_by_SIGTERM_is_143", job: core("kill-self", "15")},
	{shows: "death_by_SIGKILL_is_137", job: core("kill-self", "9")},
	{shows: "death_by_SIGHUP_is_129", job: core("kill-self", "1")},
	{shows: "SIGQUIT_dumps_and_ends_with_2", job: core("kill-self", "3"), stderr: firstLine},
	{shows: "SIGABRT_dumps_and_ends_with_2", job: core("kill-self", "6"), stderr: firstLine},

	{shows: "concurrent_prime_sieve", job: core("sieve", "200")},
	{shows: "tight_loops_are_preempted_by_GC", job: core("preempt")},
	{shows: "tight_loops_are_preempted_with_one_P", job: core("preempt", "1")},
	{shows: "10000_goroutines", job: core("goroutines", "10000")},
	{shows: "100_threads_come_and_go", job: core("threads", "100")},
	{shows: "mutexes_under_contention", job: core("mutex")},
	{shows: "channels_between_threads", job: core("channels")},

	{shows: "clock_ticks", job: core("clock")},
	{shows: "timers_are_never_early", job: core("timers")},
	{shows: "context_timeouts", job: core("context")},
	{shows: "time_zones", job: core("zones")},
	{shows: "time_never_goes_back", job: core("monotonic")},

	{shows: "GC_churn_beyond_the_limit", job: job{binary: "core", args: []string{"churn", "400"}, memory: "160M"}},
	{shows: "large_allocations", job: core("large")},
	{shows: "maps", job: core("maps")},
	{shows: "memory_given_back_returns_zero", job: core("scavenge")},
	{shows: "finalizers_run", job: core("finalizer")},

	{shows: "files", job: core("files")},
	{shows: "pipes", job: core("pipes")},
	{shows: "devices", job: core("devices")},
	{shows: "files_in_etc", job: core("etc")},
	{shows: "random_bytes", job: core("random")},

	{shows: "signals_to_itself", job: core("signal-self")},
	{shows: "ignored_signals", job: core("signal-ignore")},
	{shows: "registers_survive_a_storm_of_signals", job: core("registers", "1500")},

	{shows: "loopback_8_MB_both_ways", job: web("loopback")},
	{shows: "half_closed_connections", job: web("half-close")},
	{shows: "refused_dials", job: web("refused")},
	{shows: "deadlines", job: web("deadlines")},
	{shows: "io_Copy_between_connections", job: web("copy")},
	{shows: "resets", job: web("reset")},
	{shows: "UDP_on_loopback", job: web("udp")},
	{shows: "localhost_resolves", job: web("localhost")},
	{shows: "200_connections_at_once", job: web("many", "200")},
	{shows: "Accept_ends_when_the_listener_closes", job: web("accept-close")},
	{shows: "last_bytes_before_Close_arrive", job: web("last-bytes")},
	{shows: "socket_addresses", job: web("addresses")},
	{shows: "HTTP_with_itself", job: web("http")},
	{shows: "HTTPS_with_its_own_certificate", job: web("https")},

	{shows: "abi_memory", job: abi("memory")},
	{shows: "abi_files", job: abi("files")},
	{shows: "abi_pipes", job: abi("pipes")},
	{shows: "abi_epoll", job: abi("epoll")},
	{shows: "abi_futex", job: abi("futex")},
	{shows: "abi_signals", job: abi("signals")},
	{shows: "abi_restart", job: abi("restart")},
	{shows: "abi_alarms", job: abi("alarms")},
	{shows: "abi_time", job: abi("time")},
	{shows: "abi_sockets", job: abi("sockets")},
	{shows: "abi_process", job: abi("process")},
	{shows: "abi_registers", job: abi("registers")},
}

func core(args ...string) job { return job{binary: "core", args: args} }

// web programs open sockets on all devices, so they get a network in the machine.
func web(args ...string) job { return job{binary: "web", args: args} }

func abi(family string) job { return job{binary: "abi", args: []string{family}} }

// pattern is n bytes, all values among them.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestPrograms(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		for _, p := range programs {
			t.Run(p.shows, func(t *testing.T) {
				t.Parallel()
				compareJob(t, c, p.job, p.stdout, p.stderr)
			})
		}
	})
}

// TestExitCodes: every code comes back as it is.
func TestExitCodes(t *testing.T) {
	c := firstConfig(t)
	for code := 0; code < 256; code++ {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r := startMachine(t, c, job{binary: "hello", args: []string{fmt.Sprint(code)}}).wait()
			if r.code != code || len(r.stdout)+len(r.stderr) != 0 || r.trouble != "" {
				t.Errorf("want exit code %d and no output: %s", code, r.report())
			}
		})
	}
}

// TestCPUs: Go sees as many CPUs as the machine was given.
func TestCPUs(t *testing.T) {
	eachConfig(t, func(t *testing.T, c config) {
		r := startMachine(t, c, core("cpus")).wait()
		want := fmt.Sprintf("%s %s linux amd64\n", c.cpus, c.cpus)
		if string(r.stdout) != want || r.code != 0 {
			t.Errorf("want %q: %s", want, r.report())
		}
	})
}

// TestWallClock: the machine's time is the host's.
func TestWallClock(t *testing.T) {
	c := firstConfig(t)
	before := time.Now().UnixMilli()
	r := startMachine(t, c, core("now")).wait()
	after := time.Now().UnixMilli()
	var now int64
	fmt.Sscan(string(r.stdout), &now)
	if now < before-50 || now > after+50 {
		t.Errorf("it was between %d and %d: %s", before, after, r.report())
	}
}

// TestTickingClock: the lines of a ticking clock come while it ticks, at the host's pace.
func TestTickingClock(t *testing.T) {
	c := firstConfig(t)
	p := startMachine(t, c, core("clock", "5"))
	var first time.Time
	for i := 1; i <= 5; i++ {
		if _, err := p.waitLine(p.stdout, fmt.Sprintf("tick %d\n", i)); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			first = time.Now()
		}
	}
	if took := time.Since(first); took < 700*time.Millisecond || took > 20*time.Second {
		t.Errorf("four ticks of 200 ms took %v", took)
	}
	if r := p.wait(); r.code != 0 || r.trouble != "" {
		t.Error(r.report())
	}
}
