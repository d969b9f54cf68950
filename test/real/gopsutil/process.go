package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	psnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

// work is what the program does, and so knows of itself.
type work struct {
	self           *process.Process
	file           *os.File
	client, server *net.TCPConn
	tcp            net.Listener
	udp            net.PacketConn
	unix           net.Listener
	began          time.Time
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newWork() *work {
	w := &work{began: time.Now(), self: must(process.NewProcess(int32(os.Getpid())))}
	w.file = must(os.CreateTemp("", "gopsutil"))
	w.tcp = must(net.Listen("tcp4", "127.0.0.1:0"))
	w.client = must(net.Dial("tcp4", w.tcp.Addr().String())).(*net.TCPConn)
	w.server = must(w.tcp.Accept()).(*net.TCPConn)
	w.udp = must(net.ListenPacket("udp4", "127.0.0.1:0"))
	must(w.udp.WriteTo([]byte("a datagram"), w.udp.LocalAddr()))
	w.unix = must(net.Listen("unix", filepath.Join(os.TempDir(), fmt.Sprintf("gopsutil%d", os.Getpid()))))
	return w
}

func (w *work) talk(bytes int) {
	go w.client.Write(make([]byte, bytes))
	must(io.ReadFull(w.server, make([]byte, bytes)))
}

func descriptor(c syscall.Conn) (fd uint32) {
	must(c.SyscallConn()).Control(func(n uintptr) { fd = uint32(n) })
	return fd
}

func (w *work) judgeConnections(p *problems, kind string, all []psnet.ConnectionStat) {
	find := func(fd uint32) psnet.ConnectionStat {
		for _, c := range all {
			if c.Pid == int32(os.Getpid()) && c.Fd == fd {
				return c
			}
		}
		return psnet.ConnectionStat{}
	}
	is := func(what string, conn syscall.Conn, family, sort uint32, local, remote, status string) {
		c := find(descriptor(conn))
		p.same(what+": family and type", []uint32{c.Family, c.Type}, []uint32{family, sort})
		p.same(what+": local", fmt.Sprintf("%s:%d", c.Laddr.IP, c.Laddr.Port), local)
		p.same(what+": remote", fmt.Sprintf("%s:%d", c.Raddr.IP, c.Raddr.Port), remote)
		p.same(what+": status", c.Status, status)
	}
	if kind != "udp" && kind != "unix" {
		listen, client := w.tcp.Addr().String(), w.client.LocalAddr().String()
		is("listener", w.tcp.(*net.TCPListener), 2, 1, listen, "0.0.0.0:0", "LISTEN")
		is("client", w.client, 2, 1, client, listen, "ESTABLISHED")
		is("server", w.server, 2, 1, listen, client, "ESTABLISHED")
	}
	if kind != "tcp" && kind != "unix" {
		is("datagrams", w.udp.(*net.UDPConn), 2, 2, w.udp.LocalAddr().String(), "0.0.0.0:0", "NONE")
	}
	if kind == "unix" || kind == "all" {
		is("UNIX", w.unix.(*net.UnixListener), 1, 1, w.unix.Addr().String()+":0", ":0", "NONE")
	}
}

func askProcess(w *work) {
	s := w.self
	exe := must(os.Executable())
	ask("process.Name", s.Name, func(p *problems, v string) { p.same("name", v, filepath.Base(exe)) })
	ask("process.Exe", s.Exe, func(p *problems, v string) { p.same("path", v, exe) })
	ask("process.CmdlineSlice", s.CmdlineSlice, func(p *problems, v []string) { p.same("arguments", v, os.Args) })
	ask("process.Cmdline", s.Cmdline, func(p *problems, v string) { p.same("arguments", v, strings.Join(os.Args, " ")) })
	ask("process.Cwd", s.Cwd, func(p *problems, v string) { p.same("folder", v, must(os.Getwd())) })
	ask("process.Environ", s.Environ, func(p *problems, v []string) {
		p.same("variables", strings.Join(v, "\n"), strings.Join(append(os.Environ(), ""), "\n"))
	})
	ask("process.Ppid", s.Ppid, func(p *problems, v int32) { p.same("parent", v, int32(os.Getppid())) })
	ask("process.Tgid", s.Tgid, func(p *problems, v int32) { p.same("number", v, int32(os.Getpid())) })
	ask("process.Status", s.Status, func(p *problems, v []string) {
		p.want("it runs, or waits for its other threads", len(v) == 1 && (v[0] == "running" || v[0] == "sleep"), v)
	})
	ask("process.IsRunning", s.IsRunning, func(p *problems, v bool) { p.same("it runs", v, true) })
	ids := func(n int) []uint32 { return []uint32{uint32(n), uint32(n), uint32(n), uint32(n)} }
	ask("process.Uids", s.Uids, func(p *problems, v []uint32) { p.same("users", v, ids(os.Getuid())) })
	ask("process.Gids", s.Gids, func(p *problems, v []uint32) { p.same("groups", v, ids(os.Getgid())) })
	ask("process.Groups", s.Groups, func(p *problems, v []uint32) { p.same("groups", len(v), len(must(os.Getgroups()))) })
	ask("process.Username", s.Username, func(p *problems, v string) { p.want("a name", v != "", v) })
	ask("process.Terminal", s.Terminal, func(p *problems, v string) { p.same("no terminal", v, "") })
	ask("process.Nice", s.Nice, func(p *problems, v int32) { p.same("nice", v, int32(must(unix.Getpriority(0, 0)))) })
	ask("process.CreateTime", s.CreateTime, func(p *problems, ms int64) {
		age := w.began.Sub(time.UnixMilli(ms))
		p.want("before it began to work, and not long before", age > -2*time.Second && age < 60*time.Second, age)
	})
	ask("process.Children", s.Children, func(p *problems, v []*process.Process) { p.same("none", len(v), 0) })
	ask("process.Pids", process.Pids, func(p *problems, all []int32) {
		found := false
		for _, n := range all {
			found = found || n == int32(os.Getpid())
		}
		p.want("its own is there", found, all)
	})
	ask("process.NumThreads", s.NumThreads, func(p *problems, n int32) { p.want("two at least", n >= 2, n) })
	ask("process.Threads", s.Threads, func(p *problems, all map[int32]*cpu.TimesStat) {
		p.want("the first one, and others", all[int32(os.Getpid())] != nil && len(all) >= 2, all)
	})
	before := must(s.Times())
	busy(300 * time.Millisecond)
	ask("process.Times", s.Times, func(p *problems, t *cpu.TimesStat) {
		d := t.User + t.System - before.User - before.System
		p.want("they move", d > 0.1 && t.User > 0, d)
	})
	ask("process.CPUPercent", s.CPUPercent, func(p *problems, v float64) { p.want("a share", v > 0, v) })
}
