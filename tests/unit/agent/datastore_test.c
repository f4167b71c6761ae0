/* Where the files of a hypervisor's datastore are found by HTTP. */
#include "common/strbuf.h"
#include "compute-agent/http/http_datastore.h"
#include "tests/unit/check.h"

static void check_url(struct http_datastore d, const char *want)
{
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_OK(http_datastore_url(&d, "virga 1/a.vmdk", &text, &e), &e);
    CHECK_TEXT(text.data, want);
    strbuf_done(&text);
}

TEST("a host's own datastores are in its only datacenter")
{
    check_url((struct http_datastore){.uri = "esx://root@10.0.0.5/?no_verify=1", .datastore = "fast & large"},
              "https://10.0.0.5/folder/virga%201/a.vmdk?dcPath=ha-datacenter&dsName=fast%20%26%20large");
    check_url((struct http_datastore){.uri = "esx://root@esx-1:8443/?transport=http", .datastore = "d"},
              "http://esx-1:8443/folder/virga%201/a.vmdk?dcPath=ha-datacenter&dsName=d");
}

TEST("those of a host under vCenter are in the datacenter that the URI or the setting names")
{
    const char *uri = "vpx://admin@vcenter/Zurich/cluster-1/esx-1.example.com?no_verify=1";
    check_url((struct http_datastore){.uri = uri, .datastore = "d"},
              "https://vcenter/folder/virga%201/a.vmdk?dcPath=Zurich&dsName=d");
    check_url((struct http_datastore){.uri = uri, .datastore = "d", .datacenter = "Europe/Zurich"},
              "https://vcenter/folder/virga%201/a.vmdk?dcPath=Europe/Zurich&dsName=d");
}

TEST("a URI without a host is refused")
{
    struct strbuf text;
    struct error e = {0};
    strbuf_init(&text, 0);
    CHECK_INT(http_datastore_url(&(struct http_datastore){.uri = "esx", .datastore = "d"}, "x", &text, &e),
              ERR_INVALID);
    strbuf_done(&text);
}
