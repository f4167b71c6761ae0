/* Specifications for the agent's tests, as JSON text that spec_read takes. */
#pragma once
#include "common/strbuf.h"
#include "compute-agent/spec.h"
#include "tests/unit/check.h"

#define SAMPLE_ID      "01890000-1111-7222-8333-0123456789ab"
#define SAMPLE_NETWORK "01890000-2222-7222-8333-00000000cafe"
#define SAMPLE_SHA                                                                                                     \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"                                                 \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SAMPLE_NIC                                                                                                     \
    "{\"port_id\":\"01890000-3333-7222-8333-000000000001\",\"mac\":\"FA:16:3E:00:00:01\","                             \
    "\"addresses\":[{\"ip\":\"10.0.0.5\",\"prefix\":24},{\"ip\":\"fd00::5\",\"prefix\":64}],"                          \
    "\"port_security\":true,\"allowed_address_pairs\":[{\"ip_address\":\"10.0.0.128/25\"},"                            \
    "{\"ip_address\":\"10.0.0.9\",\"mac_address\":\"00:00:5E:00:01:01\"}],"                                            \
    "\"network\":{\"id\":\"" SAMPLE_NETWORK "\",\"name\":\"demo\",\"mtu\":1450,\"subnets\":["                          \
    "{\"id\":\"01890000-4444-7222-8333-000000000001\",\"cidr\":\"10.0.0.0/"                                            \
    "24\",\"gateway\":\"10.0.0.1\",\"dhcp\":true,"                                                                     \
    "\"dns\":[\"9.9.9.9\",\"1.1.1.1\"],\"pool_start\":\"10.0.0.2\",\"pool_end\":\"10.0.0.254\"},"                      \
    "{\"id\":\"01890000-4444-7222-8333-000000000002\",\"cidr\":\"fd00::/64\",\"gateway\":\"fd00::1\",\"dhcp\":false,"  \
    "\"dns\":[],\"pool_start\":null,\"pool_end\":null}]}}"
/* `more`: members with a comma behind each, before those of the same name here (the last of a name counts). */
#define SAMPLE(more)                                                                                                   \
    "{\"id\":\"" SAMPLE_ID                                                                                             \
    "\",\"name\":\"web <1> & \\\"co\\\"\",\"hostname\":\"web-1\",\"project_id\":\"p1\",\"user_id\":\"u1\","            \
    "\"created_us\":1700000000000000,\"revision\":12,\"exists\":true,\"power\":\"running\",\"vcpus\":2,"               \
    "\"memory_mib\":512,\"root_gib\":10,\"ephemeral_gib\":0,\"swap_mib\":0,\"flavor_name\":\"m1.small\","              \
    "\"flavor_extra\":{},\"image\":{\"id\":\"01890000-5555-7222-8333-000000000001\",\"name\":\"debian\","              \
    "\"disk_format\":\"qcow2\",\"size_bytes\":1000,\"sha512\":\"" SAMPLE_SHA "\",\"properties\":{}},"                  \
    "\"nics\":[" SAMPLE_NIC                                                                                            \
    "],\"metadata\":{\"role\":\"web\"},\"key\":{\"name\":\"me\",\"public\":\"ssh-ed25519 AAAA me\"},"                  \
    "\"user_data\":\"IyEvYmluL3NoCmVjaG8gaGkK\",\"zone\":\"nova\",\"operation\":null," more "\"future\":[1]}"

static int sample_try(const char *text, struct spec **ret, struct error *e)
{
    struct json_doc doc;
    int code = json_in_parse(text, strlen(text), &doc, e);
    if (code)
        return code;
    code = spec_read(doc.root, ret, NULL, NULL, e);
    json_in_done(&doc);
    return code;
}

__attribute__((unused)) static struct spec *sample_read(const char *text)
{
    struct spec *spec = NULL;
    struct error e = {0};
    CHECK_OK(sample_try(text, &spec, &e), &e);
    return spec;
}
