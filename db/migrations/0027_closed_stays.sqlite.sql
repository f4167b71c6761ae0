-- What was closed never changes, whoever asks: the database itself refuses.

CREATE TRIGGER invoice_stays BEFORE UPDATE ON invoice
BEGIN
    SELECT RAISE(ABORT, 'an invoice never changes');
END;

CREATE TRIGGER invoice_remains BEFORE DELETE ON invoice
BEGIN
    SELECT RAISE(ABORT, 'an invoice is never removed');
END;

CREATE TRIGGER price_book_stays BEFORE UPDATE ON price_book
BEGIN
    SELECT RAISE(ABORT, 'a version of a price book never changes');
END;

CREATE TRIGGER price_book_remains BEFORE DELETE ON price_book
    WHEN EXISTS (SELECT 1 FROM invoice WHERE book = OLD.name AND kind = 'invoice' AND to_us > OLD.from_us)
BEGIN
    SELECT RAISE(ABORT, 'invoices were made with this version of the price book');
END;

CREATE TRIGGER usage_closed_stays BEFORE UPDATE ON usage_closed
BEGIN
    SELECT RAISE(ABORT, 'a closed interval never changes');
END;

CREATE TRIGGER lifecycle_event_stays BEFORE UPDATE ON lifecycle_event
BEGIN
    SELECT RAISE(ABORT, 'a lifecycle event never changes');
END;

CREATE TRIGGER billing_correction_stays BEFORE UPDATE ON billing_correction
    WHEN OLD.invoice IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a correction that was billed never changes');
END;

CREATE TRIGGER billing_correction_remains BEFORE DELETE ON billing_correction
    WHEN OLD.invoice IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a correction that was billed is never removed');
END;
