/* A processor in libvirt's XML: features with and without a policy. */
#include "compute-agent/xml/cpu_xml.h"
#include "compute-agent/xml/xml.h"
#include <stdlib.h>
#include <string.h>

static const char *keep(char *text, struct arena *a)
{
    const char *copy = arena_strdup(a, text);
    free(text);
    return copy;
}

/* A feature without a policy is one that it has. */
static void read_feature(xmlNodePtr f, struct arena *a, struct cpu_xml *ret)
{
    const char *name = keep(xml_get(f, "name"), a), *policy = keep(xml_get(f, "policy"), a);
    bool off = policy && (strcmp(policy, "disable") == 0 || strcmp(policy, "forbid") == 0);
    if (name)
        cpu_set_add(off ? &ret->lacks : &ret->has, name, a);
}

static void read_cpu(xmlNodePtr cpu, struct arena *a, struct cpu_xml *ret)
{
    *ret = (struct cpu_xml){.model = keep(xml_get_text(xml_first(cpu, "model")), a),
                            .vendor = keep(xml_get_text(xml_first(cpu, "vendor")), a)};
    for (xmlNodePtr f = xml_first(cpu, "feature"); f; f = xml_next(f, "feature"))
        read_feature(f, a, ret);
}

bool cpu_xml_read(const char *text, struct arena *a, struct cpu_xml *ret)
{
    xmlDocPtr doc = xml_parse(text, NULL);
    *ret = (struct cpu_xml){0};
    if (!doc)
        return false;
    read_cpu(xmlDocGetRootElement(doc), a, ret);
    xmlFreeDoc(doc);
    return ret->model && ret->model[0];
}

static void add_features(xmlNodePtr cpu, const struct cpu_set *s, const char *policy)
{
    for (size_t i = 0; i < s->count; i++)
        xml_set(xml_set(xml_add(cpu, "feature"), "policy", policy), "name", s->names[i]);
}

/* As a guest's: of a host's processor (one with <arch>) libvirt ignores what features are taken away. */
static const char *print(const struct cpu_xml *x, struct arena *a)
{
    xmlDocPtr doc;
    xmlNodePtr cpu = xml_root(&doc, "cpu");
    xml_set(xml_set(cpu, "mode", "custom"), "match", "exact");
    xml_add_text(cpu, "model", x->model);
    if (x->vendor)
        xml_add_text(cpu, "vendor", x->vendor);
    add_features(cpu, &x->has, "require");
    add_features(cpu, &x->lacks, "disable");
    return keep(xml_print(doc), a);
}

const char *cpu_xml_host_model(const char *capabilities, struct arena *a)
{
    xmlDocPtr doc = capabilities ? xml_parse(capabilities, NULL) : NULL;
    struct cpu_xml x = {0};
    xmlNodePtr mode = doc ? xml_path(xmlDocGetRootElement(doc), "cpu", "mode", NULL) : NULL;
    for (; mode && !x.model; mode = xml_next(mode, "mode")) {
        const char *name = keep(xml_get(mode, "name"), a);
        if (name && strcmp(name, "host-model") == 0)
            read_cpu(mode, a, &x);
    }
    if (doc)
        xmlFreeDoc(doc);
    return x.model ? print(&x, a) : NULL;
}

const char *cpu_xml_model(const char *name, struct arena *a)
{
    struct cpu_xml x = {.model = name};
    return print(&x, a);
}
