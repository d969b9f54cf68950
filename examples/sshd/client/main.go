// Client runs one command, or what comes on standard input in a shell, on an SSH server: for tests.
// It believes any host key.
//
//	SSHD_PASSWORD=secret client ADDRESS [COMMAND]
package main

import (
	"errors"
	"log"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

func main() {
	c, err := ssh.Dial("tcp", os.Args[1], &ssh.ClientConfig{
		User:            "anybody",
		Auth:            []ssh.AuthMethod{ssh.Password(os.Getenv("SSHD_PASSWORD"))},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	s, err := c.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	s.Stdin, s.Stdout, s.Stderr = os.Stdin, os.Stdout, os.Stderr
	if len(os.Args) > 2 {
		err = s.Run(strings.Join(os.Args[2:], " "))
	} else if err = s.Shell(); err == nil {
		err = s.Wait()
	}
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitStatus())
	}
	if err != nil {
		log.Fatal(err)
	}
}
