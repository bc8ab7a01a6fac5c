"""Widgets that panels are made of, dialogs, menus, colours."""
