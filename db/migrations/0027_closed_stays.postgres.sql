-- What was closed never changes, whoever asks: the database itself refuses.

CREATE FUNCTION invoice_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an invoice never changes';
END
$$;
CREATE TRIGGER invoice_stays BEFORE UPDATE ON invoice FOR EACH ROW EXECUTE FUNCTION invoice_stays();

CREATE FUNCTION invoice_remains() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an invoice is never removed';
END
$$;
CREATE TRIGGER invoice_remains BEFORE DELETE ON invoice FOR EACH ROW EXECUTE FUNCTION invoice_remains();

CREATE FUNCTION price_book_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a price book never changes';
END
$$;
CREATE TRIGGER price_book_stays BEFORE UPDATE ON price_book FOR EACH ROW EXECUTE FUNCTION price_book_stays();

CREATE FUNCTION price_book_remains() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM invoice WHERE book = OLD.name AND kind = 'invoice' AND to_us > OLD.from_us) THEN
        RAISE EXCEPTION 'invoices were made with this version of the price book';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER price_book_remains BEFORE DELETE ON price_book FOR EACH ROW EXECUTE FUNCTION price_book_remains();

CREATE FUNCTION usage_closed_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a closed interval never changes';
END
$$;
CREATE TRIGGER usage_closed_stays BEFORE UPDATE ON usage_closed FOR EACH ROW EXECUTE FUNCTION usage_closed_stays();

CREATE FUNCTION lifecycle_event_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a lifecycle event never changes';
END
$$;
CREATE TRIGGER lifecycle_event_stays BEFORE UPDATE ON lifecycle_event FOR EACH ROW EXECUTE FUNCTION lifecycle_event_stays();

CREATE FUNCTION billing_correction_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.invoice IS NOT NULL THEN
        RAISE EXCEPTION 'a correction that was billed never changes';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER billing_correction_stays BEFORE UPDATE ON billing_correction FOR EACH ROW EXECUTE FUNCTION billing_correction_stays();

CREATE FUNCTION billing_correction_remains() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.invoice IS NOT NULL THEN
        RAISE EXCEPTION 'a correction that was billed is never removed';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER billing_correction_remains BEFORE DELETE ON billing_correction FOR EACH ROW EXECUTE FUNCTION billing_correction_remains();

CREATE FUNCTION billing_is_not_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was closed is never removed';
END
$$;
CREATE TRIGGER invoice_is_not_emptied BEFORE TRUNCATE ON invoice EXECUTE FUNCTION billing_is_not_emptied();
CREATE TRIGGER price_book_is_not_emptied BEFORE TRUNCATE ON price_book EXECUTE FUNCTION billing_is_not_emptied();
