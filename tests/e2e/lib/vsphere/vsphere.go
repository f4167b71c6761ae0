// An ESX host for tests: govmomi's simulator, which Debian has as a library, behind a server that makes its answers as libvirt's esx
// driver needs them: each element of an array says its type, datastores say where they are mounted, disks how large they are, a .vmx
// that is put has the files beside it that ESX makes; files and folders can be removed by HTTP DELETE, as VMware documents it; a machine
// whose disk is gone cannot be powered on.
//
//	vsphere ADDRESS:PORT USER PASSWORD
//
// Prints "ready FOLDER" (of the datastore LocalDS_0 on this machine) once it serves, and ends with its standard input. A number there, on a
// line of its own, is how many ms each power-on takes from now on beside what the simulator needs; it is printed again when that is so. Each
// task that changes a machine's power is a line of its standard error.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const diskKiB = "1048576"
const fault = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>` +
	`<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>File %s was not found</faultstring></soapenv:Fault>` +
	`</soapenv:Body></soapenv:Envelope>`

var powers = regexp.MustCompile(`(?s)<((?:PowerOn|PowerOff|Reset|Suspend)VM_Task)\b.*?<_this[^>]*>([^<]+)</_this>`)
var needs = regexp.MustCompile(`(?m)^(?:scsi|ide)\S*\.fileName = "/vmfs/volumes/LocalDS_0/([^"]+\.vmdk)"`)

var arrays = regexp.MustCompile(`(?s)<val xmlns:XMLSchema-instance="[^"]*" XMLSchema-instance:type="ArrayOf([A-Za-z]+)">(.*?)</val>`)
var disks = regexp.MustCompile(`(?s)(<file [^>]*:type="VmDiskFileInfo">.*?)(</file>)`)
var files = regexp.MustCompile(`<file><path>`)

func typed(array []byte) []byte {
	kind := string(arrays.FindSubmatch(array)[1])
	element := regexp.MustCompile("<" + kind + "( [^>]*)?>")
	return element.ReplaceAllFunc(array, func(e []byte) []byte {
		if bytes.Contains(e, []byte(":type=")) {
			return e
		}
		return bytes.Replace(e, []byte("<"+kind), []byte("<"+kind+` xsi:type="`+kind+`"`), 1)
	})
}

func asLibvirtWants(answer []byte) []byte {
	answer = bytes.ReplaceAll(answer, []byte("<mountInfo><accessMode>"), []byte("<mountInfo><path>/vmfs/volumes/LocalDS_0</path><accessMode>"))
	answer = files.ReplaceAll(answer, []byte(`<file xsi:type="FileInfo"><path>`))
	answer = disks.ReplaceAll(answer, []byte("$1<capacityKb>"+diskKiB+"</capacityKb>$2"))
	return arrays.ReplaceAllFunc(answer, typed)
}

type front struct {
	back, folder, user, password string
	powerOnMs                    atomic.Int64
}

func (f *front) pass(method, uri string, header http.Header, body []byte) (*http.Response, error) {
	q, err := http.NewRequest(method, "http://"+f.back+uri, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header = header.Clone()
	q.Header.Del("Accept-Encoding")
	return http.DefaultTransport.RoundTrip(q)
}

// Beside a .vmx, before it is registered.
func (f *front) addCompanions(r *http.Request) {
	place := path.Join(f.folder, strings.TrimPrefix(r.URL.Path, "/folder/"))
	for _, name := range []string{strings.TrimSuffix(place, ".vmx") + ".nvram", path.Dir(place) + "/vmware.log"} {
		if file, err := os.OpenFile(name, os.O_CREATE, 0600); err == nil {
			file.Close()
		}
	}
}

func (f *front) remove(w http.ResponseWriter, r *http.Request) {
	user, password, given := r.BasicAuth()
	name := path.Clean(strings.TrimPrefix(r.URL.Path, "/folder/"))
	place := path.Join(f.folder, name)
	if !given || user != f.user || password != f.password {
		w.WriteHeader(http.StatusUnauthorized)
	} else if _, err := os.Stat(place); err != nil || name == "." || strings.HasPrefix(name, "..") {
		w.WriteHeader(http.StatusNotFound)
	} else if err := os.RemoveAll(place); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// Of a power-on, which takes its time: the first disk that the machine needs and that is not there.
func (f *front) missing(body []byte) string {
	asked := powers.FindSubmatch(body)
	if asked != nil {
		fmt.Fprintf(os.Stderr, "%s %s\n", asked[1], asked[2])
	}
	if asked == nil || string(asked[1]) != "PowerOnVM_Task" {
		return ""
	}
	time.Sleep(time.Duration(f.powerOnMs.Load()) * time.Millisecond)
	machine, known := simulator.Map.Get(types.ManagedObjectReference{Type: "VirtualMachine", Value: string(asked[2])}).(*simulator.VirtualMachine)
	if !known {
		return ""
	}
	text, _ := os.ReadFile(path.Join(f.folder, strings.TrimPrefix(machine.Config.Files.VmPathName, "[LocalDS_0] ")))
	for _, disk := range needs.FindAllSubmatch(text, -1) {
		if _, err := os.Stat(path.Join(f.folder, string(disk[1]))); err != nil {
			return fmt.Sprintf("[LocalDS_0] %s", disk[1])
		}
	}
	return ""
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, "/folder/") {
		f.remove(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if disk := f.missing(body); disk != "" {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, fault, disk)
		return
	}
	p, err := f.pass(r.Method, r.URL.RequestURI(), r.Header, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answer, _ := io.ReadAll(p.Body)
	p.Body.Close()
	if strings.HasPrefix(r.URL.Path, "/sdk") {
		answer = asLibvirtWants(answer)
	}
	if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".vmx") {
		f.addCompanions(r)
	}
	for key, values := range p.Header {
		for _, value := range values {
			w.Header().Add(key, value)
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(p.StatusCode)
	w.Write(answer)
}

func datastoreFolder() string {
	for _, d := range simulator.Map.All("Datastore") {
		var store mo.Datastore = d.(*simulator.Datastore).Datastore
		return store.Info.GetDatastoreInfo().Url
	}
	return ""
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: vsphere ADDRESS:PORT USER PASSWORD")
	}
	model := simulator.ESX()
	model.Machine = 1
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	f := &front{user: os.Args[2], password: os.Args[3]}
	model.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(f.user, f.password)}
	back := model.Service.NewServer()
	f.back, f.folder = back.URL.Host, datastoreFolder()
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewUnstartedServer(f)
	server.Listener.Close()
	server.Listener = listener
	server.TLS = new(tls.Config)
	server.StartTLS()
	fmt.Println("ready", f.folder)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		ms, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			log.Fatal(err)
		}
		f.powerOnMs.Store(ms)
		fmt.Println(ms)
	}
}
