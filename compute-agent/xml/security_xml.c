/* host/secmodel: one for each of libvirt's security drivers; that of users and groups ("dac") has the owner in its
 * baselabel, "+64055:+64055". seccomp_sandbox is on unless qemu.conf says 0. */
#include "compute-agent/xml/security_xml.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

static bool security_xml_is(const char *model, const char *name)
{
    return model && strcmp(model, name) == 0;
}

static bool security_xml_has_user(xmlNodePtr model)
{
    char *label = xml_get_text(xml_first(model, "baselabel"));
    bool other = label && strtol(label + (*label == '+'), NULL, 10) > 0;
    free(label);
    return other;
}

static bool security_xml_filters(const char *conf)
{
    static const char name[] = "seccomp_sandbox";
    for (const char *line = conf ? conf : ""; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *word = line + strspn(line, " \t");
        if (strncmp(word, name, sizeof(name) - 1) != 0)
            continue;
        word += sizeof(name) - 1;
        word += strspn(word, " \t");
        if (*word == '=' && strtol(word + 1, NULL, 10) == 0)
            return false;
    }
    return true;
}

void security_xml_read(const char *capabilities, bool qemu, const char *qemu_conf, struct security *ret)
{
    xmlDocPtr doc = capabilities ? xml_parse(capabilities, NULL) : NULL;
    xmlNodePtr host = doc ? xml_first(xmlDocGetRootElement(doc), "host") : NULL;
    *ret = (struct security){.seccomp = qemu && security_xml_filters(qemu_conf)};
    for (xmlNodePtr m = xml_first(host, "secmodel"); m; m = xml_next(m, "secmodel")) {
        char *model = xml_get_text(xml_first(m, "model"));
        ret->apparmor = ret->apparmor || security_xml_is(model, "apparmor");
        ret->selinux = ret->selinux || security_xml_is(model, "selinux");
        ret->user = ret->user || (security_xml_is(model, "dac") && security_xml_has_user(m));
        free(model);
    }
    if (doc)
        xmlFreeDoc(doc);
}
