"""Tables of people: synthetic ones, and the 291 of IXI whose ages are known."""

import numpy as np
import pandas as pd

from medtf.table import Table


def people(n=300, *, seed=0, sequences=("T1", "MRA")) -> Table:
    """People of two sexes, ages 20 to 86 and three sites that hang together; most have two volumes."""
    rng = np.random.default_rng(seed)
    site = rng.choice(["Guys", "HH", "IOP"], n, p=[0.58, 0.32, 0.1])
    age = np.clip(rng.normal(np.where(site == "Guys", 55, 45), 15), 20, 86)
    sex = np.where(rng.random(n) < 0.4 + 0.3 * (age > 60), "F", "M")
    person = pd.DataFrame({"patient": [f"p{k}" for k in range(n)], "sex": sex, "age": age, "site": site})
    rows = pd.concat([person.assign(sequence=s)[rng.random(n) < 0.95] for s in sequences], ignore_index=True)
    rows = rows.sort_values("patient", kind="stable", ignore_index=True)
    return Table(rows.assign(path=[f"{k}.nii.gz" for k in range(len(rows))]))


def ixi(shared) -> Table:
    sheet = pd.read_csv(shared / "mri/ixi/IXI_demog.csv")
    site = sheet["ID"].str.split("-").str[1]
    return Table(
        pd.DataFrame(
            {"path": sheet["ID"], "patient": sheet["ID"], "age": sheet["Age"], "sex": sheet["Sex"], "site": site}
        )
    )
