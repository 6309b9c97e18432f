"""Find the digits on a gray frame, frame them as MNIST did and read them."""
