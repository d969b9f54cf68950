package main

import (
	"os"
	"syscall"
)

// Credentials that travel with messages of AF_UNIX sockets, and those of the peer.
var unixCredentialChecks = []check{
	{"credentials", credentials},
	{"credentials-asked-late", credentialsLate},
	{"credentials-of-nobody", credentialsForged},
	{"peer-credentials", peerCredentials},
}

// wantCredentials receives a message and demands its credentials.
func wantCredentials(t *T, what string, fd int, want syscall.Ucred) {
	buf, oob := make([]byte, 100), make([]byte, 256)
	_, oobn, flags, _, err := syscall.Recvmsg(fd, buf, oob, 0)
	t.Must(what, err)
	t.Want(what+": flags", flags&^syscall.MSG_EOR, 0)
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%s: %d control messages, %v", what, len(messages), err)
	}
	got, err := syscall.ParseUnixCredentials(&messages[0])
	t.Must(what, err)
	t.Want(what, *got, want)
}

func myCredentials() syscall.Ucred {
	return syscall.Ucred{Pid: int32(os.Getpid()), Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
}

func passCredentials(t *T, fd, value int) {
	t.Must("SO_PASSCRED", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_PASSCRED, value))
	got, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_PASSCRED)
	t.Must("SO_PASSCRED", err)
	t.Want("SO_PASSCRED", got, value)
}

func credentials(t *T) {
	for _, kind := range []int{syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		a, b, done := unixPair(t, kind)
		passCredentials(t, b, 1)
		unixWrite(t, a, "x")
		wantCredentials(t, "without being sent", b, myCredentials())
		me := myCredentials()
		t.Must("sendmsg", syscall.Sendmsg(a, []byte("x"), syscall.UnixCredentials(&me), nil, 0))
		wantCredentials(t, "sent", b, me)
		unixWrite(t, a, "x")
		_, oobn, flags, _, err := syscall.Recvmsg(b, make([]byte, 9), nil, 0)
		t.Must("recvmsg", err)
		t.Want("no room: control", oobn, 0)
		t.Want("no room: flags", flags&^syscall.MSG_EOR, syscall.MSG_CTRUNC)
		passCredentials(t, b, 0)
		unixWrite(t, a, "x")
		_, oobn, _, _, err = syscall.Recvmsg(b, make([]byte, 9), make([]byte, 99), 0)
		t.Must("recvmsg", err)
		t.Want("not asked for: control", oobn, 0)
		done()
	}
}

// credentialsLate: a message that was sent before anybody asked is nobody's.
func credentialsLate(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	unixWrite(t, a, "x")
	passCredentials(t, b, 1)
	wantCredentials(t, "asked late", b, syscall.Ucred{Pid: 0, Uid: 65534, Gid: 65534})
}

func credentialsForged(t *T) {
	a, b, done := unixPair(t, syscall.SOCK_DGRAM)
	defer done()
	passCredentials(t, b, 1)
	nobody := syscall.Ucred{Pid: 4_000_000, Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	err := syscall.Sendmsg(a, []byte("x"), syscall.UnixCredentials(&nobody), nil, 0)
	want := error(syscall.ESRCH)
	if os.Getuid() != 0 {
		want = syscall.EPERM
	}
	t.Want("a process that does not exist", err, want)
}

func peerCredentials(t *T) {
	want := func(what string, fd int, want syscall.Ucred) {
		got, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		t.Must(what, err)
		t.Want(what, *got, want)
	}
	nobody := syscall.Ucred{Pid: 0, Uid: ^uint32(0), Gid: ^uint32(0)}
	a, b, done := unixPair(t, syscall.SOCK_STREAM)
	defer done()
	want("pair", a, myCredentials())
	want("pair", b, myCredentials())
	l, at := unixListen(t, syscall.SOCK_STREAM, "cred", 1)
	defer closeFds(l)
	c := unixSocket(t, syscall.SOCK_STREAM)
	defer closeFds(c)
	want("not connected", c, nobody)
	t.Must("connect", syscall.Connect(c, at))
	want("the client's peer", c, myCredentials())
	s, _, err := syscall.Accept(l)
	t.Must("accept", err)
	defer closeFds(s)
	want("the server's peer", s, myCredentials())
	d := unixSocket(t, syscall.SOCK_DGRAM)
	defer closeFds(d)
	want("datagram", d, nobody)
}
