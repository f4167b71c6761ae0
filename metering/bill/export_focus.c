/* FOCUS 1.2 (FinOps Open Cost and Usage Specification): one CSV row per charge, all mandatory columns and those
 * conditional ones that apply here. Costs of usage are list costs: discounts are rows of their own (ChargeCategory
 * Credit), as are tax (Tax) and rounding (Adjustment). Late usage of an earlier period is a Correction. */
#include "common/clock.h"
#include "common/json_out.h"
#include "common/model/rate.h"
#include "metering/bill/export_internal.h"
#include "metering/bill/zone.h"
#include <ctype.h>
#include <string.h>

#define ISSUER "Virga"
#define DAY_US (86400 * CLOCK_SECOND_US)

enum column {
    AVAILABILITY_ZONE,
    BILLED_COST,
    BILLING_ACCOUNT_ID,
    BILLING_ACCOUNT_NAME,
    BILLING_ACCOUNT_TYPE,
    BILLING_CURRENCY,
    BILLING_PERIOD_END,
    BILLING_PERIOD_START,
    CAPACITY_RESERVATION_ID,
    CAPACITY_RESERVATION_STATUS,
    CHARGE_CATEGORY,
    CHARGE_CLASS,
    CHARGE_DESCRIPTION,
    CHARGE_FREQUENCY,
    CHARGE_PERIOD_END,
    CHARGE_PERIOD_START,
    COMMITMENT_CATEGORY,
    COMMITMENT_ID,
    COMMITMENT_NAME,
    COMMITMENT_QUANTITY,
    COMMITMENT_STATUS,
    COMMITMENT_TYPE,
    COMMITMENT_UNIT,
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
    SKU_PRICE_DETAILS,
    SKU_PRICE_ID,
    SUB_ACCOUNT_ID,
    SUB_ACCOUNT_NAME,
    SUB_ACCOUNT_TYPE,
    TAGS,
    NETWORK_ID,
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
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
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
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_NetworkId",
};

/* What the usage that a commitment pays for comes to. */
struct purchase {
    struct export_row row; /* of its first line */
    __int128 quantity;
    int64_t nano;
    struct purchase *next;
};
struct focus {
    struct purchase *purchases, **last;
    struct strbuf *to;
    struct arena *arena;
    struct export_head head;
};

/* RFC 4180. The specification keeps texts as users gave them, so a formula is not defused here as in our own CSV. */
static void write_cell(struct strbuf *to, const char *text, bool last)
{
    if (strpbrk(text, ",\"\r\n")) {
        export_quoted(to, text);
    } else {
        strbuf_append_text(to, text);
    }
    strbuf_append_text(to, last ? "\r\n" : ",");
}

static void write_cells(struct focus *x, const char *const cells[COLUMN_COUNT])
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        write_cell(x->to, cells[i] ? cells[i] : "", i + 1 == COLUMN_COUNT);
    }
}

/* What the specification calls the service that a resource belongs to. */
static const struct service_words {
    const char *resource, *category, *name, *subcategory, *type;
} services[] = {
    {"image_gib", "Storage", "Images", "Other (Storage)", "Image"},
    {"snapshot_gib", "Storage", "Snapshots", "Backup Storage", "Image"},
    {"backup_gib", "Storage", "Backups", "Backup Storage", "Image"},
    {"volume_gib", "Storage", "Volumes", "Block Storage", "Volume"},
    {"reservation", "Compute", "Reservations", "Virtual Machines", "Reservation"},
    {"reserved_vcpu", "Compute", "Reservations", "Virtual Machines", "Reservation"},
    {"reserved_memory_mib", "Compute", "Reservations", "Virtual Machines", "Reservation"},
    {"reserved_disk_gib", "Compute", "Reservations", "Virtual Machines", "Reservation"},
    {"address", "Networking", "Addresses", "Network Connectivity", "Address"},
    {"net_in_gb", "Networking", "Traffic", "Network Connectivity", "Server"},
    {"net_out_gb", "Networking", "Traffic", "Network Connectivity", "Server"},
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

/* Our "vcpu*h", "GiB*h", "request", "s" as the specification's unit format has it: "Vcpu-Hours", "GiB-Hours",
 * "Requests", "Seconds". Sizes of data have their own capitals and no plural. */
static const char *unit_of(struct focus *x, const char *unit)
{
    static const char *const data[] = {"B", "KB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB"};
    const char *star = strchr(unit, '*');
    char *name = arena_strndup(x->arena, unit, star ? (size_t)(star - unit) : strlen(unit));
    bool is_data = false;
    for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
        is_data = is_data || strcmp(data[i], name) == 0;
    }
    if (strcmp(name, "s") == 0) {
        return "Seconds";
    }
    for (char *c = name; *c; c += *c != '\0') {
        while (*c && !isalpha((unsigned char)*c)) {
            memmove(c, c + 1, strlen(c));
        }
    }
    if (!is_data && *name >= 'a' && *name <= 'z') {
        *name = (char)(*name - 'a' + 'A');
    }
    return star ? arena_printf(x->arena, "%s-Hours", name) : is_data ? name : arena_printf(x->arena, "%ss", name);
}

/* What tells one price of a SKU from another. */
static const char *details_of(struct focus *x, const struct export_row *r)
{
    struct strbuf text;
    struct json_out out;
    strbuf_init(&text, 0);
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    if (*r->flavor) {
        json_out_text(&out, "InstanceType", r->flavor);
    }
    json_out_text(&out, "x_Book", x->head.book);
    json_out_int(&out, "x_BookVersion", r->book_version);
    json_out_text(&out, "x_PriceName", r->price_name);
    json_out_int(&out, "x_Tier", r->tier);
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
        cells[SUB_ACCOUNT_ID] = r->project;
        cells[SUB_ACCOUNT_NAME] = *r->project_name ? r->project_name : r->project;
        cells[SUB_ACCOUNT_TYPE] = "Project";
    }
}

static void fill_usage(struct focus *x, const struct export_row *r, const char *cells[COLUMN_COUNT])
{
    const struct service_words *s = service_of(r->resource);
    cells[AVAILABILITY_ZONE] = r->zone;
    cells[CHARGE_FREQUENCY] = "Usage-Based";
    cells[CONSUMED_QUANTITY] = cells[PRICING_QUANTITY] = export_quantity(r, 12, x->arena);
    cells[CONSUMED_UNIT] = cells[PRICING_UNIT] = unit_of(x, r->unit);
    cells[LIST_UNIT_PRICE] = cells[CONTRACTED_UNIT_PRICE] = export_money(r->price_nano, x->arena);
    cells[PRICING_CATEGORY] = *r->market ? "Dynamic" : "Standard";
    if (*r->reservation) {
        cells[CAPACITY_RESERVATION_ID] = r->reservation;
        cells[CAPACITY_RESERVATION_STATUS] = strcmp(r->reservation, r->subject) == 0 ? "Unused" : "Used";
    }
    cells[REGION_ID] = cells[REGION_NAME] = r->region;
    cells[RESOURCE_ID] = r->subject;
    cells[RESOURCE_NAME] = r->name;
    cells[RESOURCE_TYPE] = s->type;
    cells[SERVICE_CATEGORY] = s->category;
    cells[SERVICE_NAME] = s->name;
    cells[SERVICE_SUBCATEGORY] = s->subcategory;
    cells[SKU_ID] = *r->flavor ? arena_printf(x->arena, "%s/%s", r->resource, r->flavor) : r->resource;
    cells[SKU_METER] = r->resource;
    cells[SKU_PRICE_ID] =
        arena_printf(x->arena, "%s/%s/v%lld/%s/%lld/%s", cells[SKU_ID], x->head.book, (long long)r->book_version,
                     r->price_name, (long long)r->tier, export_money(r->price_nano, x->arena));
    cells[SKU_PRICE_DETAILS] = details_of(x, r);
    cells[TAGS] = tags_of(x, r->tags);
    cells[NETWORK_ID] = r->network;
}

static struct purchase *purchase_of(struct focus *x, const struct export_row *r)
{
    struct purchase *p = x->purchases;
    while (p && strcmp(p->row.commitment, r->commitment) != 0) {
        p = p->next;
    }
    if (!p) {
        p = arena_alloc(x->arena, sizeof(*p));
        p->row = *r;
        *x->last = p;
        x->last = &p->next;
    }
    return p;
}

static void fill_commitment(struct focus *x, const struct export_row *r, const char *cells[COLUMN_COUNT])
{
    cells[COMMITMENT_CATEGORY] = "Usage";
    cells[COMMITMENT_ID] = r->commitment;
    cells[COMMITMENT_NAME] = r->price_name;
    cells[COMMITMENT_QUANTITY] = cells[PRICING_QUANTITY];
    cells[COMMITMENT_TYPE] = "Commitment";
    cells[COMMITMENT_UNIT] = cells[PRICING_UNIT];
    cells[SKU_PRICE_ID] = arena_printf(x->arena, "%s/commitment/%s", cells[SKU_ID], r->commitment);
    cells[SKU_PRICE_DETAILS] = NULL;
}

/* Usage that a commitment pays for costs nothing by itself: its part of the commitment is the effective cost, and the
 * commitment is a purchase in a row of its own. */
static void fill_committed(struct focus *x, const struct export_row *r, const char *cells[COLUMN_COUNT])
{
    bool unused = strcmp(r->state, "unused") == 0;
    struct purchase *p = purchase_of(x, r);
    p->quantity += r->quantity;
    p->nano += r->amount_nano;
    fill_commitment(x, r, cells);
    cells[BILLED_COST] = "0";
    cells[PRICING_CATEGORY] = "Committed";
    cells[COMMITMENT_STATUS] = unused ? "Unused" : "Used";
    if (unused) {
        cells[CONSUMED_QUANTITY] = cells[CONSUMED_UNIT] = NULL;
        cells[RESOURCE_TYPE] = "Commitment";
    }
}

static int write_purchase(struct focus *x, const struct purchase *p, struct error *e)
{
    const char *cells[COLUMN_COUNT] = {0};
    struct export_row row = p->row;
    int64_t list_nano = 0;
    row.quantity = p->quantity;
    row.amount_nano = p->nano;
    row.project = row.project_name = row.flavor = row.state = row.zone = row.region = row.name = "";
    row.subject = row.commitment;
    row.description = row.price_name;
    if (!rate_amount(row.quantity, row.price_nano, row.unit_base, &list_nano)) {
        return error_set(e, ERR_TOO_LARGE, "commitment %s is beyond 64 bits", row.commitment);
    }
    fill_common(x, &row, cells);
    fill_usage(x, &row, cells);
    cells[SKU_ID] = arena_printf(x->arena, "%s/commitment", row.resource);
    fill_commitment(x, &row, cells);
    cells[CHARGE_CATEGORY] = "Purchase";
    cells[CHARGE_FREQUENCY] = "Recurring";
    cells[EFFECTIVE_COST] = "0";
    cells[LIST_COST] = cells[CONTRACTED_COST] = export_money(list_nano, x->arena);
    cells[CONSUMED_QUANTITY] = cells[CONSUMED_UNIT] = cells[TAGS] = NULL;
    cells[RESOURCE_TYPE] = "Commitment";
    write_cells(x, cells);
    return 0;
}

/* A credit note is of the month in which it was issued (UTC), its charge of that day. */
static void fill_note(struct focus *x, const char *cells[COLUMN_COUNT])
{
    struct error e = {0};
    char text[CLOCK_TEXT_SIZE];
    int year = 0, month = 0;
    int64_t at_us = 0, from_us = 0, to_us = 0;
    if (!clock_parse(x->head.issued_at, &at_us) || zone_month_of("UTC", at_us, &year, &month, &e) ||
        zone_month("UTC", year, month, &from_us, &to_us, &e)) {
        return;
    }
    int64_t day_us = at_us - at_us % DAY_US;
    cells[BILLING_PERIOD_START] = arena_strdup(x->arena, clock_text(from_us, CLOCK_ISO_Z, text));
    cells[BILLING_PERIOD_END] = arena_strdup(x->arena, clock_text(to_us, CLOCK_ISO_Z, text));
    cells[CHARGE_PERIOD_START] = arena_strdup(x->arena, clock_text(day_us, CLOCK_ISO_Z, text));
    cells[CHARGE_PERIOD_END] = arena_strdup(x->arena, clock_text(day_us + DAY_US, CLOCK_ISO_Z, text));
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
    fill_common(x, r, cells);
    if (*x->head.about) {
        fill_note(x, cells);
    }
    cells[CHARGE_CATEGORY] = categories[r->kind];
    if (r->kind == EXPORT_ADJUSTMENT || r->kind == EXPORT_CORRECTION || *x->head.about) {
        cells[CHARGE_CLASS] = "Correction";
    }
    if (r->kind == EXPORT_USAGE || r->kind == EXPORT_ADJUSTMENT) {
        fill_usage(x, r, cells);
    }
    if (r->kind == EXPORT_USAGE && *r->commitment) {
        fill_committed(x, r, cells);
    }
    write_cells(x, cells);
    return 0;
}

int export_focus(struct db_conn *c, json_value *body, struct arena *a, struct strbuf *to, struct error *e)
{
    struct focus x = {.to = to, .arena = a};
    x.last = &x.purchases;
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        write_cell(to, names[i], i + 1 == COLUMN_COUNT);
    }
    int rc = export_rows(c, body, a, &x.head, write_row, &x, e);
    for (const struct purchase *p = x.purchases; !rc && p; p = p->next) {
        rc = write_purchase(&x, p, e);
    }
    return rc;
}
