"""Pictures of posed, dressed signers: camera, light, cloth, skin, background and sensor."""
