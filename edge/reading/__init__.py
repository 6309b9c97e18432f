"""From a gray frame to the digits on it."""
