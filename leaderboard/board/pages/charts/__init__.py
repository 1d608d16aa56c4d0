"""Charts as data for SVG templates: numbers in, coordinates out.

The server draws them. So pages show all charts without JavaScript, under a content security policy
without exceptions, and no charting library has to be vendored and kept up to date.
"""
