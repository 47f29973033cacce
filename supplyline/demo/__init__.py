"""`supplyline demo`: the main job on one machine, from sample files to what to order."""
