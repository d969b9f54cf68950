package main

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"

	psnet "github.com/shirou/gopsutil/v4/net"
)

// askMore is about what the process uses.
func askMore(w *work) {
	s := w.self
	ask("process.NumFDs", s.NumFDs, func(p *problems, n int32) { p.want("those that it has at least", n >= 8, n) })
	ask("process.OpenFiles", s.OpenFiles, func(p *problems, all []process.OpenFilesStat) {
		found := ""
		for _, f := range all {
			if f.Fd == uint64(w.file.Fd()) {
				found = f.Path
			}
		}
		p.same("a file", found, w.file.Name())
	})
	ask("process.Connections", s.Connections, func(p *problems, all []psnet.ConnectionStat) { w.judgeConnections(p, "all", all) })
	askItsMemory(s)
	io := must(s.IOCounters())
	must(w.file.Write(make([]byte, 100_000)))
	must(w.file.ReadAt(make([]byte, 50_000), 0))
	ask("process.IOCounters", s.IOCounters, func(p *problems, c *process.IOCountersStat) {
		p.want("bytes", c.WriteBytes-io.WriteBytes >= 100_000 && c.ReadBytes-io.ReadBytes >= 50_000, c)
		p.want("calls", c.WriteCount > io.WriteCount && c.ReadCount > io.ReadCount, c)
	})
	ask("process.NumCtxSwitches", s.NumCtxSwitches, func(p *problems, n *process.NumCtxSwitchesStat) {
		p.want("there were some", n.Voluntary+n.Involuntary > 0, n)
	})
	askLimits(s)
	time.Sleep(10 * time.Millisecond)
	must(0, os.Remove(w.file.Name()))
	w.unix.Close()
}

func askItsMemory(s *process.Process) {
	const size = 32 << 20
	faults := must(s.PageFaults())
	touched := must(unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON))
	must(0, unix.Madvise(touched, unix.MADV_NOHUGEPAGE))
	for i := 0; i < size; i += 4096 {
		touched[i] = 1
	}
	ask("process.MemoryInfo", s.MemoryInfo, func(p *problems, m *process.MemoryInfoStat) {
		p.want("what was touched is resident", m.RSS >= size && m.RSS < 10*size, m)
		p.want("the address space is larger", m.VMS > m.RSS, m)
	})
	ask("process.MemoryInfoEx", s.MemoryInfoEx, func(p *problems, m *process.MemoryInfoExStat) {
		p.want("what was touched", m.RSS >= size && m.VMS > m.RSS, m)
		p.want("its code", m.Text > 100_000 && m.Text < 10<<20, m.Text)
		p.want("pages of its file", m.Shared > 100_000 && m.Shared < m.RSS, m.Shared)
		p.want("data", m.Dirty >= size, m.Dirty)
	})
	ask("process.MemoryPercent", s.MemoryPercent, func(p *problems, v float32) { p.want("a share", v > 0 && v < 100, v) })
	ask("process.MemoryMaps", func() (*[]process.MemoryMapsStat, error) { return s.MemoryMaps(true) }, func(p *problems, m *[]process.MemoryMapsStat) {
		a := (*m)[0]
		p.want("resident", a.Rss >= size/1024 && a.Pss <= a.Rss && a.Anonymous >= size/1024 && a.PrivateDirty >= size/1024, a)
	})
	ask("process.MemoryMaps, each", func() (*[]process.MemoryMapsStat, error) { return s.MemoryMaps(false) }, func(p *problems, m *[]process.MemoryMapsStat) {
		exe, found := must(os.Executable()), false
		for _, a := range *m {
			found = found || a.Path == exe && a.Rss > 0
		}
		p.want("the program's own", found, len(*m))
	})
	ask("process.PageFaults", s.PageFaults, func(p *problems, f *process.PageFaultsStat) {
		p.want("one for each page", f.MinorFaults-faults.MinorFaults >= size/4096, f)
	})
	must(0, unix.Munmap(touched))
	runtime.KeepAlive(touched)
}

func askLimits(s *process.Process) {
	var files, stack syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	syscall.Getrlimit(syscall.RLIMIT_STACK, &stack)
	judge := func(p *problems, all []process.RlimitStat, used bool) {
		seen := map[int32]process.RlimitStat{}
		for _, l := range all {
			seen[l.Resource] = l
		}
		p.same("all of them", len(seen), 16)
		p.same("files", seen[process.RLIMIT_NOFILE].Soft, files.Cur)
		p.same("files, at most", seen[process.RLIMIT_NOFILE].Hard, files.Max)
		p.same("stack", seen[process.RLIMIT_STACK].Soft, stack.Cur)
		if used {
			p.want("files in use", seen[process.RLIMIT_NOFILE].Used >= 8, seen[process.RLIMIT_NOFILE])
			p.want("data", seen[process.RLIMIT_DATA].Used > 1<<20, seen[process.RLIMIT_DATA])
			p.want("stack in use", seen[process.RLIMIT_STACK].Used >= 4096, seen[process.RLIMIT_STACK])
			p.want("address space", seen[process.RLIMIT_AS].Used > 1<<20, seen[process.RLIMIT_AS])
			p.want("resident", seen[process.RLIMIT_RSS].Used > 1<<20, seen[process.RLIMIT_RSS])
		}
	}
	ask("process.Rlimit", s.Rlimit, func(p *problems, all []process.RlimitStat) { judge(p, all, false) })
	ask("process.RlimitUsage", func() ([]process.RlimitStat, error) { return s.RlimitUsage(true) },
		func(p *problems, all []process.RlimitStat) { judge(p, all, true) })
}
