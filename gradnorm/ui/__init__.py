"""The dashboard: navigation, widgets made from the spec, the live panel and its routes."""
