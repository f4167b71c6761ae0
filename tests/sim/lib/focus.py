#!/usr/bin/python3
"""The rules of FOCUS 1.2 (FinOps Open Cost and Usage Specification, FinOps Foundation, tag v1.2) for each column, as a check of a CSV
dataset: data type, whether it may be null, formats, allowed values, and how columns hang together. An empty cell is null.

    python3 tests/sim/lib/focus.py FILE.csv
"""
import csv
import json
import re
import sys
from decimal import Decimal

# Column: level (M mandatory, C conditional, R recommended), type, nullable.
COLUMNS = {
    "AvailabilityZone": ("R", "text", True), "BilledCost": ("M", "decimal", False), "BillingAccountId": ("M", "text", False),
    "BillingAccountName": ("M", "text", False), "BillingAccountType": ("C", "text", False), "BillingCurrency": ("M", "currency", False),
    "BillingPeriodEnd": ("M", "time", False), "BillingPeriodStart": ("M", "time", False), "CapacityReservationId": ("C", "text", True),
    "CapacityReservationStatus": ("C", "text", True), "ChargeCategory": ("M", "text", False), "ChargeClass": ("M", "text", True),
    "ChargeDescription": ("M", "text", True), "ChargeFrequency": ("R", "text", False), "ChargePeriodEnd": ("M", "time", False),
    "ChargePeriodStart": ("M", "time", False), "CommitmentDiscountCategory": ("C", "text", True), "CommitmentDiscountId": ("C", "text", True),
    "CommitmentDiscountName": ("C", "text", True), "CommitmentDiscountQuantity": ("C", "decimal", True),
    "CommitmentDiscountStatus": ("C", "text", True), "CommitmentDiscountType": ("C", "text", True), "CommitmentDiscountUnit": ("C", "unit", True),
    "ConsumedQuantity": ("C", "decimal", True), "ConsumedUnit": ("C", "unit", True), "ContractedCost": ("M", "decimal", False),
    "ContractedUnitPrice": ("C", "price", True), "EffectiveCost": ("M", "decimal", False), "InvoiceId": ("R", "text", True),
    "InvoiceIssuerName": ("M", "text", False), "ListCost": ("M", "decimal", False), "ListUnitPrice": ("C", "price", True),
    "PricingCategory": ("C", "text", True), "PricingCurrency": ("C", "currency", True), "PricingCurrencyContractedUnitPrice": ("C", "price", True),
    "PricingCurrencyEffectiveCost": ("C", "decimal", True), "PricingCurrencyListUnitPrice": ("C", "price", True),
    "PricingQuantity": ("M", "decimal", True), "PricingUnit": ("M", "unit", True), "ProviderName": ("M", "text", False),
    "PublisherName": ("M", "text", False), "RegionId": ("C", "text", True), "RegionName": ("C", "text", True), "ResourceId": ("C", "text", True),
    "ResourceName": ("C", "text", True), "ResourceType": ("C", "text", True), "ServiceCategory": ("M", "text", False),
    "ServiceName": ("M", "text", False), "ServiceSubcategory": ("R", "text", False), "SkuId": ("C", "text", True), "SkuMeter": ("C", "text", True),
    "SkuPriceDetails": ("C", "pairs", True), "SkuPriceId": ("C", "text", True), "SubAccountId": ("C", "text", True),
    "SubAccountName": ("C", "text", True), "SubAccountType": ("C", "text", True), "Tags": ("C", "pairs", True),
}
MANDATORY = [name for name, (level, _, _) in COLUMNS.items() if level == "M"]
# Conditions that hold for this cloud: it measures usage, has zones, regions, resources with types, projects, tags, prices and price lists, a
# billing account of its own kind, capacity reservations, and commitments.
CONDITIONAL_HERE = ("CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus "
                    "CommitmentDiscountType CommitmentDiscountUnit BillingAccountType CapacityReservationId CapacityReservationStatus ConsumedQuantity ConsumedUnit ContractedUnitPrice ListUnitPrice "
                    "RegionId RegionName ResourceId ResourceName ResourceType SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId SubAccountName "
                    "SubAccountType Tags").split()
ALLOWED = {
    "ChargeCategory": ("Usage", "Purchase", "Tax", "Credit", "Adjustment"), "ChargeClass": ("Correction",),
    "ChargeFrequency": ("One-Time", "Recurring", "Usage-Based"), "PricingCategory": ("Standard", "Dynamic", "Committed", "Other"),
    "CommitmentDiscountCategory": ("Spend", "Usage"), "CommitmentDiscountStatus": ("Used", "Unused"), "CapacityReservationStatus": ("Used", "Unused"),
}
SUBCATEGORIES = {
    "AI and Machine Learning": ("AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing"),
    "Analytics": ("Analytics Platforms", "Business Intelligence", "Data Processing", "Search", "Streaming Analytics"),
    "Business Applications": ("Productivity and Collaboration",),
    "Compute": ("Containers", "End User Computing", "Quantum Compute", "Serverless Compute", "Virtual Machines"),
    "Databases": ("Caching", "Data Warehouses", "Ledger Databases", "NoSQL Databases", "Relational Databases", "Time Series Databases"),
    "Developer Tools": ("Developer Platforms", "Continuous Integration and Deployment", "Development Environments", "Source Code Management",
                        "Quality Assurance"),
    "Identity": ("Identity and Access Management",), "Integration": ("API Management", "Messaging", "Workflow Orchestration"),
    "Internet of Things": ("IoT Analytics", "IoT Platforms"),
    "Management and Governance": ("Architecture", "Compliance", "Cost Management", "Data Governance", "Disaster Recovery", "Endpoint Management",
                                  "Observability", "Support"),
    "Media": ("Content Creation", "Gaming", "Media Streaming", "Mixed Reality"), "Migration": ("Data Migration", "Resource Migration"), "Mobile": (),
    "Multicloud": ("Multicloud Integration",),
    "Networking": ("Application Networking", "Content Delivery", "Network Connectivity", "Network Infrastructure", "Network Routing", "Network Security"),
    "Security": ("Secret Management", "Security Posture Management", "Threat Detection and Response"),
    "Storage": ("Backup Storage", "Block Storage", "File Storage", "Object Storage", "Storage Platforms"), "Web": ("Application Platforms",), "Other": (),
}
SKU_PROPERTIES = {**dict.fromkeys(("CoreCount", "DiskMaxIops", "DiskSpace", "GpuCount", "MemorySize", "NetworkMaxIops", "NetworkMaxThroughput"), (int, float)),
                  **dict.fromkeys(("DiskType", "InstanceSeries", "InstanceType", "OperatingSystem", "Redundancy", "StorageClass"), str)}
NUMBER = re.compile(r"-?\d+(\.\d+)?(E-?\d+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")
DATA = "[KMGTPE]?i?[bB]"
COUNT = "[A-Z][A-Za-z]*"
TIMES = "(Year|Month|Day|Hour|Minute|Second)"
UNIT = re.compile(rf"(\d+ )?({DATA}|{COUNT}s)|({DATA}|{COUNT})-{TIMES}s|({DATA}|{COUNT}s)/(\d+ )?{TIMES}s?")


def value_errors(name, kind, value):
    if kind in ("decimal", "price") and not NUMBER.fullmatch(value):
        yield f"{name} is not a number: {value}"
    elif kind == "price" and Decimal(value) < 0:
        yield f"{name} is negative: {value}"
    elif kind == "time" and not TIME.fullmatch(value):
        yield f"{name} is not a UTC time: {value}"
    elif kind == "currency" and not re.fullmatch("[A-Z]{3}", value):
        yield f"{name} is no currency: {value}"
    elif kind == "unit" and not UNIT.fullmatch(value):
        yield f"{name} is not in the unit format: {value}"
    elif kind == "text" and not value.strip():
        yield f"{name} is blank"
    elif kind == "pairs":
        yield from pairs_errors(name, value)
    if name in ALLOWED and value not in ALLOWED[name]:
        yield f"{name} is not one of the allowed values: {value}"


def pairs_errors(name, value):
    keys = []
    def unique(pairs):
        keys.extend(key for key, _ in pairs)
        return dict(pairs)
    try:
        pairs = json.loads(value, object_pairs_hook=unique)
    except ValueError:
        yield f"{name} is not JSON: {value}"
        return
    if not isinstance(pairs, dict) or len(keys) != len(set(keys)):
        yield f"{name} is no object with unique keys: {value}"
    elif any(isinstance(v, (dict, list)) for v in pairs.values()):
        yield f"{name} has nested values: {value}"
    elif name == "SkuPriceDetails":
        for key, v in pairs.items():
            if not key.startswith("x_") and (key not in SKU_PROPERTIES or not isinstance(v, SKU_PROPERTIES[key])):
                yield f"{name} has the property {key}, which is not FOCUS's and not x_"


def together(row, *names):
    """The columns are null together."""
    if len({bool(row.get(name)) for name in names}) > 1:
        yield f"{' and '.join(names)} are not null together: {[row.get(n) for n in names]}"


def column_errors(row):
    for name, (level, kind, nullable) in COLUMNS.items():
        value = row.get(name)
        if value is None:
            if level == "M" or name in CONDITIONAL_HERE:
                yield f"{name} is missing"
        elif value == "":
            if not nullable:
                yield f"{name} is null"
        else:
            yield from value_errors(name, kind, value)
    for name in row:
        if name not in COLUMNS and not name.startswith("x_"):
            yield f"{name} is no column of FOCUS and lacks x_"


def row_errors(row):
    """What a row does wrong, in sentences: each column by itself, then, when that is right, what hangs together."""
    wrong = list(column_errors(row))
    yield from wrong
    if wrong:
        return
    yield from category_errors(row)
    yield from price_errors(row)
    yield from service_errors(row)
    if not row["BillingPeriodStart"] < row["BillingPeriodEnd"] or not row["ChargePeriodStart"] < row["ChargePeriodEnd"]:
        yield "a period does not end after it begins"
    inside = row["BillingPeriodStart"] <= row["ChargePeriodStart"] and row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
    if not inside and row["ChargeClass"] != "Correction":
        yield "a charge that is no correction lies outside of its billing period"


def category_errors(row):
    category, correction = row["ChargeCategory"], row["ChargeClass"] == "Correction"
    priced = category in ("Usage", "Purchase") and not correction
    for name in ("ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingCategory", "SkuId", "SkuPriceId"):
        if category == "Tax" and row.get(name):
            yield f"{name} of a Tax row is {row[name]}"
        if priced and not row.get(name):
            yield f"{name} of a {category} row is null"
    if category != "Usage" and row.get("ConsumedQuantity"):
        yield f"ConsumedQuantity of a {category} row"
    unused = row.get("CommitmentDiscountStatus") == "Unused"
    if category == "Usage" and not correction and bool(row.get("ConsumedQuantity")) == unused:
        yield "ConsumedQuantity is for usage that is no unused commitment"
    if category == "Purchase" and row.get("ChargeFrequency") == "Usage-Based":
        yield "a purchase is not usage-based"
    if category == "Credit" and len({Decimal(row[n]) for n in ("BilledCost", "ContractedCost", "ListCost", "EffectiveCost")}) > 1:
        yield "the costs of a credit differ"
    yield from together(row, "PricingQuantity", "PricingUnit")
    yield from together(row, "ConsumedQuantity", "ConsumedUnit")
    yield from together(row, "ResourceId", "ResourceType")
    yield from together(row, "RegionId", "RegionName")
    yield from together(row, "SubAccountId", "SubAccountName", "SubAccountType")
    yield from together(row, "BillingAccountId", "BillingAccountType")
    yield from together(row, "CommitmentDiscountId", "CommitmentDiscountCategory", "CommitmentDiscountType")
    yield from together(row, "CommitmentDiscountQuantity", "CommitmentDiscountUnit")
    for name, needs in (("ResourceName", "ResourceId"), ("SkuMeter", "SkuId"), ("SkuPriceDetails", "SkuPriceId"), ("CommitmentDiscountName", "CommitmentDiscountId"),
                        ("CapacityReservationStatus", "CapacityReservationId")):
        if row.get(name) and not row.get(needs):
            yield f"{name} without {needs}"
    if row.get("ResourceName") and row["ResourceName"] == row["ResourceId"]:
        yield "ResourceName duplicates ResourceId"
    if row.get("CommitmentDiscountId") and category == "Usage" and not row.get("CommitmentDiscountStatus"):
        yield "usage of a commitment has no status"
    if row.get("CommitmentDiscountId") and not correction and not row.get("CommitmentDiscountQuantity"):
        yield "a charge of a commitment has no quantity of it"
    if row.get("CommitmentDiscountId") and category == "Usage" and row["PricingCategory"] != "Committed":
        yield "usage of a commitment is not in the category Committed"
    if row.get("CommitmentDiscountId") and category == "Purchase" and Decimal(row["EffectiveCost"]) != 0:
        yield "a purchase that covers usage has an effective cost"
    if row.get("CapacityReservationId") and category == "Usage" and not row.get("CapacityReservationStatus"):
        yield "usage of a reservation has no status"


def price_errors(row):
    if row["ChargeClass"] == "Correction" or not row.get("PricingQuantity"):
        return
    for price, cost in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
        if row.get(price):
            difference = abs(Decimal(row[price]) * Decimal(row["PricingQuantity"]) - Decimal(row[cost]))
            # the quantity has 12 decimals, the cost 9
            if difference > Decimal("5.1e-10") + Decimal(row[price]) * Decimal("5.1e-13"):
                yield f"{price} times PricingQuantity is not {cost}: {row[price]} * {row['PricingQuantity']}, {row[cost]}"


def service_errors(row):
    category, sub = row["ServiceCategory"], row.get("ServiceSubcategory")
    if category not in SUBCATEGORIES:
        yield f"ServiceCategory is not one of the allowed values: {category}"
    elif sub is not None and sub not in (*SUBCATEGORIES[category], f"Other ({category})"):
        yield f"ServiceSubcategory {sub} is none of {category}"


def errors(rows, payable=None):
    """What the rows of a dataset do wrong, in sentences; `payable`: InvoiceId -> Decimal that its rows must add up to."""
    parents = {}
    for number, row in enumerate(rows, 1):
        for sentence in row_errors(row):
            yield f"row {number}: {sentence}"
        for child, parent in (("ServiceName", "ServiceCategory"), ("ServiceName", "ServiceSubcategory"), ("SkuPriceId", "SkuId"), ("SkuPriceId", "ListUnitPrice"),
                              ("SkuId", "SkuMeter"), ("SkuPriceId", "SkuPriceDetails")):
            if row.get(child) and parents.setdefault((child, row[child], parent), row.get(parent)) != row.get(parent):
                yield f"row {number}: {child} {row[child]} has several of {parent}"
    for commitment in {row.get("CommitmentDiscountId") for row in rows} - {"", None}:
        of_it = [row for row in rows if row["CommitmentDiscountId"] == commitment]
        used = sum(Decimal(row["EffectiveCost"]) for row in of_it if row["ChargeCategory"] == "Usage")
        bought = sum(Decimal(row["BilledCost"]) for row in of_it if row["ChargeCategory"] == "Purchase")
        if used != bought:
            yield f"of commitment {commitment} {bought} was bought and {used} used or left unused"
    for invoice, amount in (payable or {}).items():
        total = sum((Decimal(row["BilledCost"]) for row in rows if row["InvoiceId"] == invoice), Decimal(0))
        if total != amount:
            yield f"the rows of {invoice} add up to {total}, it is {amount}"


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        wrong = list(errors(list(csv.DictReader(file))))
    print("\n".join(wrong) or "every column keeps its rules")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
