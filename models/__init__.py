"""The science of Fetal-Health: signals, images, growth, fusion, calibration, bundles and data sets.

Nothing here imports the web application, a database or Flower.
"""
