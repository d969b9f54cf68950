// Sshd is an SSH server with a small shell inside: there are no other processes to start.
//
//	gosolo run -p 2222:2222 -e SSHD_PASSWORD=secret ./sshd
//	ssh -p 2222 anybody@localhost
//
// The host key is made at each start. SSHD_PASSWORD must be set.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"log"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
)

func config(password string) (*ssh.ServerConfig, error) {
	c := &ssh.ServerConfig{
		PasswordCallback: func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if subtle.ConstantTimeCompare(given, []byte(password)) != 1 {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		},
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	c.AddHostKey(signer)
	return c, nil
}

func serve(conn net.Conn, c *ssh.ServerConfig) {
	defer conn.Close()
	s, channels, requests, err := ssh.NewServerConn(conn, c)
	if err != nil {
		log.Printf("%s: %v", conn.RemoteAddr(), err)
		return
	}
	defer s.Close()
	go ssh.DiscardRequests(requests)
	for n := range channels {
		if n.ChannelType() != "session" {
			n.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		channel, requests, err := n.Accept()
		if err != nil {
			return
		}
		go session(channel, requests)
	}
}

// session runs one command, or a shell.
func session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for r := range requests {
		var command struct{ Line string }
		switch r.Type {
		case "exec":
			ssh.Unmarshal(r.Payload, &command)
			r.Reply(true, nil)
			end(channel, run(channel, command.Line))
			return
		case "shell":
			r.Reply(true, nil)
			end(channel, shell(channel))
			return
		default:
			r.Reply(r.Type == "pty-req" || r.Type == "env", nil)
		}
	}
}

func end(channel ssh.Channel, code uint32) {
	channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
}

func main() {
	listen := ":2222"
	if len(os.Args) > 1 {
		listen = os.Args[1]
	}
	password := os.Getenv("SSHD_PASSWORD")
	if password == "" {
		log.Fatal("SSHD_PASSWORD is not set")
	}
	c, err := config(password)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(conn, c)
	}
}
