"""The study as one self-contained HTML page: tables, and plots drawn as SVG."""
