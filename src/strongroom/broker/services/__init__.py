"""What people and runtimes do at a broker: one file for each thing; ``all_services`` gathers them."""
