package main

import (
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	psnet "github.com/shirou/gopsutil/v4/net"
	"golang.org/x/sys/unix"
)

// busy spends so much CPU time.
func busy(d time.Duration) {
	used := func() time.Duration {
		var t unix.Timespec
		unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
		return time.Duration(t.Nano())
	}
	for end := used() + d; used() < end; {
	}
}

func askCPU() {
	ask("cpu.Counts", func() (int, error) { return cpu.Counts(true) }, func(p *problems, n int) {
		p.want("at least those that may be used", n >= runtime.NumCPU(), n)
	})
	ask("cpu.Counts of cores", func() (int, error) { return cpu.Counts(false) }, func(p *problems, n int) {
		p.want("one at least", n >= 1, n)
	})
	ask("cpu.Info", cpu.Info, func(p *problems, all []cpu.InfoStat) {
		p.want("an entry for each", len(all) >= runtime.NumCPU(), len(all))
		for _, c := range all {
			p.want("vendor, family, model and name", c.VendorID != "" && c.Family != "" && c.Model != "" && c.ModelName != "", c)
			p.want("place", c.PhysicalID != "" && c.CoreID != "" && c.Cores == 1, c)
			p.want("rate", c.Mhz > 100, c.Mhz)
			flags := " " + strings.Join(c.Flags, " ") + " "
			for _, f := range []string{"fpu", "tsc", "cx8", "sse2", "syscall", "lm", "nx"} {
				p.want("flag "+f, strings.Contains(flags, " "+f+" "), flags)
			}
		}
	})
	before, _ := cpu.Times(false)
	busy(300 * time.Millisecond)
	ask("cpu.Times", func() ([]cpu.TimesStat, error) { return cpu.Times(false) }, func(p *problems, all []cpu.TimesStat) {
		p.same("entries", len(all), 1)
		p.want("they move", all[0].Total() > before[0].Total() && all[0].User+all[0].System+all[0].Nice > before[0].User+before[0].System+before[0].Nice, all)
	})
	ask("cpu.Times of each", func() ([]cpu.TimesStat, error) { return cpu.Times(true) }, func(p *problems, all []cpu.TimesStat) {
		p.want("an entry for each", len(all) >= runtime.NumCPU(), len(all))
		sum := 0.0
		for _, c := range all {
			sum += c.Total()
		}
		p.want("not all at rest", sum > 0, sum)
	})
	ask("cpu.Percent", func() ([]float64, error) { return cpu.Percent(200*time.Millisecond, true) }, func(p *problems, all []float64) {
		for _, v := range all {
			p.want("a share", v >= 0 && v <= 100, all)
		}
	})
}

func askMemory() {
	touched := make([]byte, 16<<20)
	for i := range touched {
		touched[i] = 1
	}
	ask("mem.VirtualMemory", mem.VirtualMemory, func(p *problems, m *mem.VirtualMemoryStat) {
		var s unix.Sysinfo_t
		unix.Sysinfo(&s)
		p.same("total", m.Total, s.Totalram*uint64(s.Unit))
		p.want("available", m.Available > 0 && m.Available <= m.Total, m.Available)
		p.want("free", m.Free > 0 && m.Free <= m.Total, m.Free)
		p.want("used", m.Used >= 16<<20 && m.Used < m.Total && m.UsedPercent > 0, m.Used)
		p.want("slab and page tables", m.Slab > 0 && m.PageTables > 0, m)
		p.want("commit", m.CommitLimit > 0 && m.CommittedAS > 0, m)
	})
	ask("mem.SwapMemory", mem.SwapMemory, func(p *problems, m *mem.SwapMemoryStat) {
		p.want("free", m.Free <= m.Total, m)
		p.want("faults", m.PgFault > 0, m)
	})
	runtime.KeepAlive(touched)
}

func askDisk() {
	ask("disk.Partitions", func() ([]disk.PartitionStat, error) { return disk.Partitions(true) }, func(p *problems, all []disk.PartitionStat) {
		types := map[string]string{}
		for _, d := range all {
			types[d.Mountpoint] = d.Fstype
			p.want("options", len(d.Opts) > 0, d)
		}
		p.want("the root", types["/"] != "", types)
		p.same("/proc", types["/proc"], "proc")
	})
	ask("disk.Usage", func() (*disk.UsageStat, error) { return disk.Usage("/") }, func(p *problems, u *disk.UsageStat) {
		var s unix.Statfs_t
		unix.Statfs("/", &s)
		p.same("total", u.Total, s.Blocks*uint64(s.Bsize))
		p.want("free and used", u.Free <= u.Total && u.Used <= u.Total, u)
		p.want("inodes", u.InodesFree <= u.InodesTotal, u)
		p.want("type", u.Fstype != "", u)
	})
	ask("disk.IOCounters", func() (map[string]disk.IOCountersStat, error) { return disk.IOCounters() }, func(p *problems, all map[string]disk.IOCountersStat) {
		for name, d := range all {
			p.same("name", d.Name, name)
		}
	})
}

func askHost() {
	name, _ := os.Hostname()
	ask("host.Info", host.Info, func(p *problems, i *host.InfoStat) {
		p.same("name", i.Hostname, name)
		p.same("system", i.OS, "linux")
		p.same("machine", i.KernelArch, "x86_64")
		p.want("processes", i.Procs >= 1, i.Procs)
		p.want("platform, version and identity", i.Platform != "" && i.KernelVersion != "" && len(i.HostID) == 36, i)
	})
	ask("host.BootTime", host.BootTime, func(p *problems, boot uint64) {
		up, err := host.Uptime()
		now := uint64(time.Now().Unix())
		p.want("and the time since", err == nil && boot+up <= now+2 && boot+up+5 >= now, []uint64{boot, up, now})
	})
	ask("host.KernelVersion", host.KernelVersion, func(p *problems, v string) {
		var u unix.Utsname
		unix.Uname(&u)
		p.same("version", v, unix.ByteSliceToString(u.Release[:]))
	})
	ask("load.Avg", load.Avg, func(p *problems, a *load.AvgStat) {
		p.want("none is negative", a.Load1 >= 0 && a.Load5 >= 0 && a.Load15 >= 0, a)
	})
	ask("load.Misc", load.Misc, func(p *problems, m *load.MiscStat) {
		p.want("counts", m.ProcsTotal >= 1 && m.ProcsRunning >= 1 && m.ProcsCreated >= 1 && m.Ctxt > 0, m)
	})
}

func askNet(w *work) {
	ask("net.Interfaces", func() (psnet.InterfaceStatList, error) { return psnet.Interfaces() }, func(p *problems, all psnet.InterfaceStatList) {
		own, err := net.Interfaces()
		p.want("as Go has them", err == nil && len(own) == len(all), all)
		for i := range all {
			p.same("name", all[i].Name, own[i].Name)
			p.same("MTU", all[i].MTU, own[i].MTU)
		}
	})
	before := counters("lo")
	w.talk(100_000)
	ask("net.IOCounters", func() (psnet.IOCountersStat, error) { return counters("lo"), nil }, func(p *problems, c psnet.IOCountersStat) {
		p.want("bytes and packets", c.BytesSent-before.BytesSent >= 100_000 && c.BytesRecv-before.BytesRecv >= 100_000 &&
			c.PacketsSent > before.PacketsSent, c)
	})
	protocols := func() (map[string]map[string]int64, error) {
		all, err := psnet.ProtoCounters(nil)
		m := map[string]map[string]int64{}
		for _, c := range all {
			m[c.Protocol] = c.Stats
		}
		return m, err
	}
	earlier, _ := protocols()
	w.talk(100_000)
	ask("net.ProtoCounters", protocols, func(p *problems, now map[string]map[string]int64) {
		rose := func(protocol, name string, least int64) {
			d := now[protocol][name] - earlier[protocol][name]
			p.want(protocol+" "+name, d >= least, d)
		}
		rose("ip", "InReceives", 5)
		rose("ip", "InDelivers", 5)
		rose("ip", "OutRequests", 5)
		rose("tcp", "InSegs", 5)
		rose("tcp", "OutSegs", 5)
		p.want("connections", now["tcp"]["CurrEstab"] >= 2 && now["tcp"]["PassiveOpens"] >= 1, now["tcp"])
		p.want("UDP and ICMP", now["udp"]["OutDatagrams"] >= 1 && now["icmp"] != nil && now["udplite"] != nil, now)
	})
	for _, kind := range []string{"tcp", "udp", "unix", "inet", "all"} {
		ask("net.Connections of "+kind, func() ([]psnet.ConnectionStat, error) { return psnet.Connections(kind) },
			func(p *problems, all []psnet.ConnectionStat) { w.judgeConnections(p, kind, all) })
	}
}

func counters(name string) psnet.IOCountersStat {
	all, _ := psnet.IOCounters(true)
	for _, c := range all {
		if c.Name == name {
			return c
		}
	}
	return psnet.IOCountersStat{}
}
