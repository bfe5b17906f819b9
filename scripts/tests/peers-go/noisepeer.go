// noisepeer: the keyed protocol once more, over somebody else's Noise: a client or a server of one connection.
//
//	noisepeer [-chunk N] client HOST:PORT KEYFILE            types its standard input, shows the output
//	noisepeer [-chunk N] server HOST:PORT KEYFILE [STATUS]   gives back what it gets, then EXIT
//	noisepeer meet HOST:PORT KEYFILE PID                     two clients in one turn of the server PID
//
// The client's status is the command's; 255: no such server, another key, or cut before EXIT. The server
// leaves with 0 when its client said EOF, else with 1. -chunk: at most N bytes of data a record.
// -empty: once WELCOME was said either sends records that carry nothing, without end.
// meet: while the server is stopped, a client with a session sends a bad record, and another one the first
// record of its own; that one must then be served: what it gets for two lines is shown, and the status is 0.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"crypto/rand"

	"github.com/flynn/noise"
)

const (
	rows, cols, hello, exit, eof = 100, 101, 102, 103, 104
	notice, welcome              = 201, 202
	bannerSize                   = 86
	rekeyAfter                   = 65536
)

var banner = regexp.MustCompile(`^ptybox-noise-1 [0-9a-f]{32} keyed port: use ptyattach -k KEYFILE\r\n$`)

var empty *bool

type link struct {
	conn    net.Conn
	out, in *noise.CipherState
	lock    sync.Mutex
	pending []byte // received, not a frame yet
}

func sendMessage(w io.Writer, m []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
	return err
}

func receiveMessage(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	m := make([]byte, binary.BigEndian.Uint16(head[:]))
	_, err := io.ReadFull(r, m)
	return m, err
}

func handshake(conn net.Conn, key, prologue []byte, initiator bool) (*link, error) {
	state, err := noise.NewHandshakeState(noise.Config{
		CipherSuite:  noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashSHA256),
		Pattern:      noise.HandshakeNN,
		Initiator:    initiator,
		Prologue:     prologue,
		PresharedKey: key,
	})
	if err != nil {
		return nil, err
	}
	var first, second *noise.CipherState
	for turn := 0; turn < 2; turn++ {
		var m []byte
		if (turn == 0) == initiator {
			m, first, second, err = state.WriteMessage(nil, nil)
			if err == nil {
				err = sendMessage(conn, m)
			}
		} else {
			if m, err = receiveMessage(conn); err == nil {
				m, first, second, err = state.ReadMessage(nil, m)
			}
			if err == nil && len(m) > 0 {
				err = errors.New("a payload in the handshake")
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if initiator {
		return &link{conn: conn, out: first, in: second}, nil
	}
	return &link{conn: conn, out: second, in: first}, nil
}

func rekey(s *noise.CipherState) {
	if s.Nonce()%rekeyAfter == 0 {
		s.Rekey()
	}
}

// record seals at most 4096 bytes of the framed stream.
func (l *link) record(stream []byte) error {
	l.lock.Lock()
	defer l.lock.Unlock()
	text := append(binary.LittleEndian.AppendUint16(nil, uint16(len(stream))), stream...)
	text = append(text, make([]byte, -len(text)&63)...)
	m, err := l.out.Encrypt(nil, nil, text)
	if err != nil {
		return err
	}
	rekey(l.out)
	return sendMessage(l.conn, m)
}

func frame(kind byte, size int, payload []byte) []byte {
	return append([]byte{0, byte(size), byte(size >> 8), kind}, payload...)
}

func (l *link) data(p []byte, chunk int) error {
	for len(p) > 0 {
		n := len(p)
		if n > chunk {
			n = chunk
		}
		if err := l.record(frame(0, n, p[:n])); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (l *link) more() error {
	m, err := receiveMessage(l.conn)
	if err != nil {
		return err
	}
	text, err := l.in.Decrypt(nil, nil, m)
	if err != nil {
		return err
	}
	rekey(l.in)
	if len(text) == 0 || len(text)%64 != 0 {
		return fmt.Errorf("a record of %d bytes", len(text))
	}
	n := int(binary.LittleEndian.Uint16(text))
	if n > 4096 || (n+2+63)/64*64 != len(text) || len(bytes.Trim(text[2+n:], "\x00")) > 0 {
		return fmt.Errorf("%d bytes in a record of %d", n, len(text))
	}
	l.pending = append(l.pending, text[2:2+n]...)
	return nil
}

// next is the next frame: its type, its size, its payload.
func (l *link) next() (byte, int, []byte, error) {
	for {
		if p := l.pending; len(p) >= 4 {
			kind, size, payload := p[3], int(p[1])|int(p[2])<<8, 0
			if p[0] != 0 {
				return 0, 0, nil, errors.New("not a frame")
			}
			if kind == 0 || kind >= 200 {
				payload = size
			}
			if len(p) >= 4+payload {
				l.pending = p[4+payload:]
				return kind, size, p[4 : 4+payload], nil
			}
		}
		if err := l.more(); err != nil {
			return 0, 0, nil, err
		}
	}
}

func client(addr string, key []byte, chunk int) int {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return fail(err)
	}
	line := make([]byte, bannerSize)
	if _, err := io.ReadFull(conn, line); err != nil || !banner.Match(line) {
		return fail(fmt.Errorf("not a keyed server: %q", line))
	}
	l, err := handshake(conn, key, line, true)
	if err != nil {
		return fail(err)
	}
	begin := append(append(frame(hello, 1, nil), frame(rows, 24, nil)...), frame(cols, 80, nil)...)
	if err := l.record(append(begin, frame(0, 0, nil)...)); err != nil {
		return fail(err)
	}
	kind, _, payload, err := l.next()
	if err != nil || kind != welcome || !strings.HasPrefix(string(payload), "ptybox/1") {
		return fail(fmt.Errorf("no WELCOME but %d %q %v", kind, payload, err))
	}
	if *empty {
		return l.flood()
	}
	go func() {
		buf := make([]byte, 32768)
		for {
			n, err := os.Stdin.Read(buf)
			if l.data(buf[:n], chunk) != nil {
				return
			}
			if err != nil {
				l.record(frame(eof, 0, nil))
				return
			}
		}
	}()
	for {
		kind, size, payload, err := l.next()
		if err != nil {
			return fail(fmt.Errorf("cut: %v", err))
		}
		switch kind {
		case 0:
			os.Stdout.Write(payload)
		case notice:
			fmt.Fprintf(os.Stderr, "%s\n", payload)
		case exit:
			return size
		}
	}
}

func server(addr string, key []byte, chunk, status int) int {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fail(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	nonce := make([]byte, 16)
	rand.Read(nonce)
	line := "ptybox-noise-1 " + hex.EncodeToString(nonce) + " keyed port: use ptyattach -k KEYFILE\r\n"
	io.WriteString(conn, line)
	l, err := handshake(conn, key, []byte(line), false)
	if err != nil {
		fail(err)
		return 1
	}
	for {
		kind, _, payload, err := l.next()
		if err == nil {
			switch kind {
			case hello:
				err = l.record(frame(welcome, 8, []byte("ptybox/1")))
				if *empty {
					return l.flood()
				}
			case 0:
				err = l.data(payload, chunk)
			case eof:
				l.record(frame(exit, status, nil))
				return 0
			}
		}
		if err != nil {
			fail(err)
			return 1
		}
	}
}

// flood sends records that carry nothing until the other side ends; many in one write, or the receiver is quicker.
func (l *link) flood() int {
	buffer := bytes.Buffer{}
	quiet := &link{conn: &memory{Buffer: &buffer}, out: l.out}
	go io.Copy(io.Discard, l.conn)
	for {
		for i := 0; i < 500; i++ {
			quiet.record(nil)
		}
		if _, err := l.conn.Write(buffer.Bytes()); err != nil {
			return fail(err)
		}
		buffer.Reset()
	}
}

// memory is a connection that keeps what is written.
type memory struct {
	net.Conn
	*bytes.Buffer
}

func (m *memory) Write(p []byte) (int, error) { return m.Buffer.Write(p) }
func (m *memory) Read(p []byte) (int, error)  { return 0, io.EOF }

// greet is a connection whose handshake is done, and its first record, unsent.
func greet(addr string, key []byte) (*link, []byte, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	line := make([]byte, bannerSize)
	if _, err = io.ReadFull(conn, line); err != nil {
		return nil, nil, err
	}
	l, err := handshake(conn, key, line, true)
	if err != nil {
		return nil, nil, err
	}
	buffer := bytes.Buffer{}
	quiet := &link{conn: &memory{Buffer: &buffer}, out: l.out}
	quiet.record(append(frame(hello, 1, nil), frame(0, 0, nil)...))
	return l, buffer.Bytes(), nil
}

// output waits for output of the session.
func (l *link) output() ([]byte, error) {
	l.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		kind, _, payload, err := l.next()
		if err != nil || kind == 0 && len(payload) > 0 {
			return payload, err
		}
	}
}

func meet(addr string, key []byte, pid int) int {
	first, record, err := greet(addr, key)
	if err != nil {
		return fail(err)
	}
	first.conn.Write(record)
	if _, err = first.output(); err != nil {
		return fail(fmt.Errorf("the first: %v", err))
	}
	second, record, err := greet(addr, key)
	if err != nil {
		return fail(err)
	}
	syscall.Kill(pid, syscall.SIGSTOP)
	for stopped := false; !stopped; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return fail(err)
		}
		stopped = bytes.Contains(stat, []byte(") T "))
	}
	bad := make([]byte, 82)
	bad[1] = 80
	first.conn.Write(bad)
	second.conn.Write(record)
	syscall.Kill(pid, syscall.SIGCONT)
	for _, line := range []string{"echo one\n", "echo two\n", ""} {
		shown, err := second.output()
		for err == nil && !bytes.HasSuffix(shown, []byte("\n")) { // a line may come in pieces
			var more []byte
			more, err = second.output()
			shown = append(shown, more...)
		}
		if err == nil && line != "" {
			err = second.data([]byte(line), len(line))
		}
		if err != nil {
			return fail(fmt.Errorf("the second: %v", err))
		}
		os.Stdout.Write(shown)
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "noisepeer:", err)
	return 255
}

func readKey(path string) []byte {
	text, err := os.ReadFile(path)
	if err == nil {
		key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(string(text), "\n"))
		if err == nil && len(key) == 32 {
			return key
		}
	}
	os.Exit(fail(fmt.Errorf("%s: no key", path)))
	return nil
}

func main() {
	chunk := flag.Int("chunk", 4092, "")
	empty = flag.Bool("empty", false, "")
	flag.Parse()
	arg := flag.Args()
	if len(arg) < 3 {
		os.Exit(fail(errors.New("client|server HOST:PORT KEYFILE [STATUS]")))
	}
	key := readKey(arg[2])
	if arg[0] == "meet" && len(arg) > 3 {
		pid, _ := strconv.Atoi(arg[3])
		os.Exit(meet(arg[1], key, pid))
	}
	if arg[0] == "client" {
		os.Exit(client(arg[1], key, *chunk))
	}
	status := 0
	if len(arg) > 3 {
		status, _ = strconv.Atoi(arg[3])
	}
	os.Exit(server(arg[1], key, *chunk, status))
}
