/* FOCUS 1.2 (FinOps Open Cost and Usage Specification): one CSV row per charge, all mandatory columns and those
 * conditional ones that apply here. Costs of usage are list costs: discounts are rows of their own (ChargeCategory
 * Credit), as are tax (Tax) and rounding (Adjustment). Late usage of an earlier period is a Correction. */
#include "common/json_out.h"
#include "metering/bill/export_internal.h"
#include <string.h>

#define ISSUER "Virga"

enum column {
    AVAILABILITY_ZONE,
    BILLED_COST,
    BILLING_ACCOUNT_ID,
    BILLING_ACCOUNT_NAME,
    BILLING_ACCOUNT_TYPE,
    BILLING_CURRENCY,
    BILLING_PERIOD_END,
    BILLING_PERIOD_START,
    CHARGE_CATEGORY,
    CHARGE_CLASS,
    CHARGE_DESCRIPTION,
    CHARGE_FREQUENCY,
    CHARGE_PERIOD_END,
    CHARGE_PERIOD_START,
    CONSUMED_QUANTITY,
    CONSUMED_UNIT,
    CONTRACTED_COST,
    CONTRACTED_UNIT_PRICE,
    EFFECTIVE_COST,
    INVOICE_ID,
    INVOICE_ISSUER,
    LIST_COST,
    LIST_UNIT_PRICE,
    PRICING_CATEGORY,
    PRICING_QUANTITY,
    PRICING_UNIT,
    PROVIDER,
    PUBLISHER,
    REGION_ID,
    REGION_NAME,
    RESOURCE_ID,
    RESOURCE_NAME,
    RESOURCE_TYPE,
    SERVICE_CATEGORY,
    SERVICE_NAME,
    SERVICE_SUBCATEGORY,
    SKU_ID,
    SKU_METER,
    SKU_PRICE_ID,
    SUB_ACCOUNT_ID,
    SUB_ACCOUNT_NAME,
    SUB_ACCOUNT_TYPE,
    TAGS,
    COLUMN_COUNT
};
static const char *const names[COLUMN_COUNT] = {
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
};

struct focus {
    struct strbuf *to;
    struct arena *arena;
    struct export_head head;
};

/* What the specification calls the service that a resource belongs to. */
static const struct service_words {
    const char *resource, *category, *name, *subcategory, *type;
} services[] = {
    {"image_gib", "Storage", "Images", "Other (Storage)", "Image"},
    {"address", "Networking", "Addresses", "Other (Networking)", "Address"},
    {"net_in_gb", "Networking", "Traffic", "Other (Networking)", "Server"},
    {"net_out_gb", "Networking", "Traffic", "Other (Networking)", "Server"},
    {"", "Compute", "Servers", "Virtual Machines", "Server"},
};

static const struct service_words *service_of(const char *resource)
{
    const struct service_words *s = services;
    while (*s->resource && strcmp(s->resource, resource) != 0) {
        s++;
    }
    return s;
}

/* Tags without values have the value true. */
static const char *tags_of(struct focus *x, const char *json)
{
    struct json_doc doc;
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    if (!json_in_parse(json, strlen(json), &doc, NULL)) {
        for (size_t i = 0; i < json_in_count(doc.root); i++) {
            json_out_bool(&out, json_in_text(json_in_item(doc.root, i)), true);
        }
        json_in_done(&doc);
    }
    json_out_object_end(&out);
    const char *copy = arena_strdup(x->arena, text.data);
    strbuf_done(&text);
    return copy;
}

static void fill_common(struct focus *x, const struct export_row *r, const char *cells[COLUMN_COUNT])
{
    const char *amount = export_money(r->amount_nano, x->arena);
    const struct service_words *other =
        &(const struct service_words){.category = "Other", .name = "Billing", .subcategory = "Other (Other)"};
    cells[BILLED_COST] = cells[EFFECTIVE_COST] = cells[CONTRACTED_COST] = cells[LIST_COST] = amount;
    cells[BILLING_ACCOUNT_ID] = x->head.account_id;
    cells[BILLING_ACCOUNT_NAME] = *x->head.account_name ? x->head.account_name : x->head.account_id;
    cells[BILLING_ACCOUNT_TYPE] = "Account";
    cells[BILLING_CURRENCY] = x->head.currency;
    cells[BILLING_PERIOD_START] = x->head.begin;
    cells[BILLING_PERIOD_END] = x->head.end;
    cells[CHARGE_PERIOD_START] = r->begin;
    cells[CHARGE_PERIOD_END] = r->end;
    cells[CHARGE_DESCRIPTION] = r->description;
    cells[INVOICE_ID] = x->head.invoice;
    cells[INVOICE_ISSUER] = cells[PROVIDER] = cells[PUBLISHER] = ISSUER;
    cells[SERVICE_CATEGORY] = other->category;
    cells[SERVICE_NAME] = other->name;
    cells[SERVICE_SUBCATEGORY] = other->subcategory;
    cells[CHARGE_FREQUENCY] = "One-Time";
    if (*r->project) {
        cells[SUB_ACCOUNT_ID] = cells[SUB_ACCOUNT_NAME] = r->project;
        cells[SUB_ACCOUNT_TYPE] = "Project";
    }
}

static void fill_usage(struct focus *x, const struct export_row *r, const char *cells[COLUMN_COUNT])
{
    const struct service_words *s = service_of(r->resource);
    cells[AVAILABILITY_ZONE] = r->zone;
    cells[CHARGE_FREQUENCY] = "Usage-Based";
    cells[CONSUMED_QUANTITY] = cells[PRICING_QUANTITY] = export_quantity(r, 12, x->arena);
    cells[CONSUMED_UNIT] = cells[PRICING_UNIT] = r->unit;
    cells[LIST_UNIT_PRICE] = cells[CONTRACTED_UNIT_PRICE] = export_money(r->price_nano, x->arena);
    cells[PRICING_CATEGORY] = "Standard";
    cells[REGION_ID] = cells[REGION_NAME] = r->region;
    cells[RESOURCE_ID] = r->subject;
    cells[RESOURCE_NAME] = r->name;
    cells[RESOURCE_TYPE] = s->type;
    cells[SERVICE_CATEGORY] = s->category;
    cells[SERVICE_NAME] = s->name;
    cells[SERVICE_SUBCATEGORY] = s->subcategory;
    cells[SKU_ID] = *r->flavor ? arena_printf(x->arena, "%s/%s", r->resource, r->flavor) : r->resource;
    cells[SKU_METER] = r->resource;
    cells[SKU_PRICE_ID] = arena_printf(x->arena, "%s/v%lld/%s/%lld", (const char *)cells[SKU_ID],
                                       (long long)r->book_version, r->price_name, (long long)r->tier);
    cells[TAGS] = tags_of(x, r->tags);
}

static int write_row(void *arg, const struct export_row *r, struct error *e)
{
    static const char *const categories[] = {
        [EXPORT_USAGE] = "Usage",        [EXPORT_ADJUSTMENT] = "Usage", [EXPORT_CORRECTION] = "Adjustment",
        [EXPORT_DISCOUNT] = "Credit",    [EXPORT_CREDIT] = "Credit",    [EXPORT_TAX] = "Tax",
        [EXPORT_ROUNDING] = "Adjustment"};
    struct focus *x = arg;
    const char *cells[COLUMN_COUNT] = {0};
    (void)e;
    if (!*x->head.begin) { /* a credit note: its period is that of its day */
        x->head.begin = x->head.end = x->head.issued_at;
    }
    fill_common(x, r, cells);
    cells[CHARGE_CATEGORY] = categories[r->kind];
    if (r->kind == EXPORT_ADJUSTMENT || r->kind == EXPORT_CORRECTION || *x->head.about) {
        cells[CHARGE_CLASS] = "Correction";
    }
    if (r->kind == EXPORT_USAGE || r->kind == EXPORT_ADJUSTMENT) {
        fill_usage(x, r, cells);
    }
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        export_field(x->to, cells[i] ? cells[i] : "", i + 1 == COLUMN_COUNT);
    }
    return 0;
}

int export_focus(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e)
{
    struct focus x = {.to = to, .arena = a};
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        export_field(to, names[i], i + 1 == COLUMN_COUNT);
    }
    return export_rows(c, body, a, &x.head, write_row, &x, e);
}
