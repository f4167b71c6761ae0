/* libvirt's words for processors. Pure. */
#pragma once
#include "common/model/cpu.h"

struct cpu_xml {
    const char *model, *vendor; /* vendor: NULL for none */
    struct cpu_set has;         /* features that are asked for by name */
    struct cpu_set lacks;       /* and those of the model that are taken away */
};
/* <cpu> as libvirt says what a processor is. False: it names no model. */
bool cpu_xml_read(const char *text, struct arena *a, struct cpu_xml *ret);
/* The host-model of domain capabilities as a <cpu>; NULL: there is none. In the arena. */
const char *cpu_xml_host_model(const char *capabilities, struct arena *a);
/* A model by name as a <cpu>. In the arena. */
const char *cpu_xml_model(const char *name, struct arena *a);
