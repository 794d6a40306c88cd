// Package keys makes the secrets of one installation: an nkey per user of the
// broker, a certificate authority with a certificate for the servers, the secret
// that signs tokens, and the local.conf that nats.conf includes.
package keys

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
)

// Users are the broker's users, as nats.conf names them in lower case.
func Users() []string {
	return []string{"sys", "operator", "gateway", "image", "voice", "prosody", "bgm", "video", "status", "notify", "partner", "subscriber"}
}

// Config says what the installation is like.
type Config struct {
	Hosts []string // names and addresses of the servers, for the certificate; localhost and loopback always count
	Nodes []Node   // none means one server on this machine
	Path  string   // where the servers see DIR, when that is not where it is written
	Now   time.Time
}

// A Node is one server. Empty fields have defaults for one server on this machine.
type Node struct {
	Name      string // vm-1
	Listen    string // 127.0.0.1:4222
	Monitor   string // 127.0.0.1:8222
	WebSocket string // 127.0.0.1:8443
	Cluster   string // where it listens for the other nodes
	Route     string // where the others reach it, host:port; empty is Cluster
	Store     string // directory of the streams; DIR/store
	StoreMax  string // 20GB
}

// validity of certificates: public authorities allow less, but rotating is a new
// run of one command.
const validity = 825 * 24 * time.Hour

// ErrExists says that dir has keys already; they are never replaced.
var ErrExists = errors.New("there are keys already")

// Write fills dir, which it makes. Files are readable by their owner only.
func Write(dir string, c Config) error {
	if _, err := os.Stat(filepath.Join(dir, "jwt_secret")); err == nil {
		return fmt.Errorf("%s: %w", dir, ErrExists)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	put := func(name string, b []byte) error {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return nil
	}
	var public strings.Builder
	public.WriteString("\n# Public halves of the keys; the seeds are in USER.nk.\n")
	for _, u := range Users() {
		pair, err := nkeys.CreateUser()
		if err != nil {
			return fmt.Errorf("key of %s: %w", u, err)
		}
		seed, err := pair.Seed()
		if err != nil {
			return fmt.Errorf("key of %s: %w", u, err)
		}
		key, err := pair.PublicKey()
		if err != nil {
			return fmt.Errorf("key of %s: %w", u, err)
		}
		if err := put(u+".nk", append(seed, '\n')); err != nil {
			return err
		}
		fmt.Fprintf(&public, "KEY_%s: %s\n", strings.ToUpper(u), key)
	}
	secret := make([]byte, 48)
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("token secret: %w", err)
	}
	certs, err := certificates(c)
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	for name, b := range certs {
		if err := put(name, b); err != nil {
			return err
		}
	}
	if err := put("jwt_secret", []byte(base64.RawURLEncoding.EncodeToString(secret)+"\n")); err != nil {
		return err
	}
	if len(c.Nodes) == 0 {
		c.Nodes = []Node{{}}
	}
	for i, n := range c.Nodes {
		name := "local.conf"
		if len(c.Nodes) > 1 {
			name = n.Name + ".conf"
		}
		if err := put(name, []byte(c.settings(dir, i)+public.String())); err != nil {
			return err
		}
	}
	return nil
}

// settings is the part of a node's local.conf that is not keys.
func (c Config) settings(dir string, i int) string {
	at := c.Path
	if at == "" {
		at = dir
		if abs, err := filepath.Abs(dir); err == nil {
			at = abs
		}
	}
	n := c.Nodes[i]
	var conf strings.Builder
	conf.WriteString("# What belongs to this installation. nats.conf includes it as local.conf.\n")
	set := func(name, v, def string) { fmt.Fprintf(&conf, "%s: %q\n", name, cmp.Or(v, def)) }
	set("VM_SERVER_NAME", n.Name, "vm-1")
	set("VM_LISTEN", n.Listen, "127.0.0.1:4222")
	set("VM_MONITOR", n.Monitor, "127.0.0.1:8222")
	set("VM_WEBSOCKET", n.WebSocket, "127.0.0.1:8443")
	set("VM_STORE_DIR", n.Store, filepath.Join(at, "store"))
	fmt.Fprintf(&conf, "VM_STORE_MAX: %s\n", cmp.Or(n.StoreMax, "20GB")) // a size is no string
	set("VM_TLS_CERT", filepath.Join(at, "server.pem"), "")
	set("VM_TLS_KEY", filepath.Join(at, "server-key.pem"), "")
	set("VM_TLS_CA", filepath.Join(at, "ca.pem"), "")
	if n.Cluster != "" {
		var routes []string
		for j, o := range c.Nodes {
			if j != i {
				routes = append(routes, fmt.Sprintf("%q", "nats-route://"+cmp.Or(o.Route, o.Cluster)))
			}
		}
		set("VM_CLUSTER_LISTEN", n.Cluster, "")
		fmt.Fprintf(&conf, "VM_CLUSTER_ROUTES: [ %s ]\n", strings.Join(routes, ", "))
	}
	return conf.String()
}

// certificates makes an authority and a certificate of the servers that also
// serves between the nodes of a cluster. The authority's key is not kept: nobody
// can sign a second certificate with it.
func certificates(c Config) (map[string][]byte, error) {
	now := c.Now
	if now.IsZero() {
		now = time.Now()
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "videomsg installation"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "videomsg"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, h := range c.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	return map[string][]byte{
		"ca.pem":         block("CERTIFICATE", caDER),
		"server.pem":     block("CERTIFICATE", leafDER),
		"server-key.pem": block("EC PRIVATE KEY", keyDER),
	}, nil
}
